// Everything that training of the vocoder depends on, as one JSON file.
import Foundation
import LyraModel

/// A run that trains the vocoder to speak units with one voice, and to know how long each lasts.
public struct VocoderTrainingConfiguration: PartConfiguration, Equatable {
    public var settings = PartSettings(batchSize: 16, steps: 20_000, learningRate: 5e-4, betas: [0.8, 0.99])
    /// Length of the pieces of recordings that are learnt from, in frames of 20 ms; a multiple of 8.
    public var segmentFrames = 32
    public var convergenceWeight: Float = 1
    public var magnitudeWeight: Float = 1
    public var melWeight: Float = 2
    /// Of the squared error of log durations.
    public var durationWeight: Float = 0.5
    /// Whole recordings a step whose durations are learnt.
    public var durationBatch = 4
    /// A finished run of the speech encoder that listens to what the vocoder says of the validation data, and counts the
    /// words it does not understand.
    public var listener: String?
    /// Recordings measured on, at most.
    public var validationLimit = 16

    public init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case stage, segmentFrames, convergenceWeight, magnitudeWeight, melWeight, durationWeight, durationBatch, listener
        case validationLimit
    }

    public init(from decoder: any Swift.Decoder) throws {
        try settings.read(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.segmentFrames, &segmentFrames)
        try values.read(.convergenceWeight, &convergenceWeight)
        try values.read(.magnitudeWeight, &magnitudeWeight)
        try values.read(.melWeight, &melWeight)
        try values.read(.durationWeight, &durationWeight)
        try values.read(.durationBatch, &durationBatch)
        listener = try values.decodeIfPresent(String.self, forKey: .listener)
        try values.read(.validationLimit, &validationLimit)
        try PartSettings.refuseUnknown(
            decoder, known: CodingKeys.allCases.map(\.rawValue) + PartSettings.CodingKeys.allCases.map(\.rawValue))
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        try settings.write(encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(PartStage.vocoder, forKey: .stage)
        try values.encode(segmentFrames, forKey: .segmentFrames)
        try values.encode(convergenceWeight, forKey: .convergenceWeight)
        try values.encode(magnitudeWeight, forKey: .magnitudeWeight)
        try values.encode(melWeight, forKey: .melWeight)
        try values.encode(durationWeight, forKey: .durationWeight)
        try values.encode(durationBatch, forKey: .durationBatch)
        try values.encodeIfPresent(listener, forKey: .listener)
        try values.encode(validationLimit, forKey: .validationLimit)
    }

    public func check() throws {
        try settings.check()
        for source in settings.data + settings.validation where source.unitsFile == nil {
            throw ConfigurationError.invalid(
                key: "units_file", value: "missing", expected: "the units of \(source.path) by frame, as lyra data units writes them")
        }
        guard segmentFrames % 8 == 0, (8...4_096).contains(segmentFrames) else {
            throw ConfigurationError.invalid(key: "segment_frames", value: "\(segmentFrames)", expected: "a multiple of 8 from 8 to 4096")
        }
        for (key, weight) in [
            ("convergence", convergenceWeight), ("magnitude", magnitudeWeight), ("mel", melWeight), ("duration", durationWeight),
        ] { try PartSettings.range("\(key)_weight", Double(weight), 0...1e6) }
        try PartSettings.range("duration_batch", Double(durationBatch), 1...10_000)
        try PartSettings.range("validation_limit", Double(validationLimit), 1...1e9)
    }

    mutating func resolve(in folder: String) {
        settings.resolve(in: folder)
        listener = listener.map { MediaFolders.join(folder, $0) }
    }
}
