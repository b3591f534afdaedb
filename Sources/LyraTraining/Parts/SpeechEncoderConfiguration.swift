// Everything that training of the speech encoder depends on, as one JSON file.
import Foundation
import LyraMedia
import LyraModel

/// A run that trains the speech encoder to spell what it hears, or to say it in a language model's words.
public struct SpeechEncoderConfiguration: PartConfiguration, Equatable {
    /// ``PartStage/speechEncoder`` or ``PartStage/speechWords``.
    public var stage = PartStage.speechEncoder
    public var settings = PartSettings(batchSize: 16, steps: 20_000, learningRate: 1e-3)
    /// Share of steps whose windows hold as many utterances as fit, as windows cut out of long recordings do.
    public var packedShare = 0.5
    /// Share of the other steps that compute the whole window, silence and all, as in use; the rest stop after the longest
    /// utterance and cost less.
    public var fullShare = 0.5
    /// Steps at the beginning that see single utterances without the silence after them: alignments are found on those first.
    public var shortSteps = 1_000
    /// How recordings are changed: speed each utterance, the rest each window.
    public var augmentation = SpeechAugmentation()
    public var masks = SpectrumMasks()
    /// Recordings measured on, at most.
    public var validationLimit = 200

    public init() {}
    public init(_ stage: PartStage) { self.stage = stage }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case stage, packedShare, fullShare, shortSteps, augmentation, masks, validationLimit
    }

    public init(from decoder: any Swift.Decoder) throws {
        try settings.read(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.stage, &stage)
        try values.read(.packedShare, &packedShare)
        try values.read(.fullShare, &fullShare)
        try values.read(.shortSteps, &shortSteps)
        try values.read(.augmentation, &augmentation)
        try values.read(.masks, &masks)
        try values.read(.validationLimit, &validationLimit)
        try PartSettings.refuseUnknown(
            decoder, known: CodingKeys.allCases.map(\.rawValue) + PartSettings.CodingKeys.allCases.map(\.rawValue))
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        try settings.write(encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(stage, forKey: .stage)
        try values.encode(packedShare, forKey: .packedShare)
        try values.encode(fullShare, forKey: .fullShare)
        try values.encode(shortSteps, forKey: .shortSteps)
        try values.encode(augmentation, forKey: .augmentation)
        try values.encode(masks, forKey: .masks)
        try values.encode(validationLimit, forKey: .validationLimit)
    }

    public func check() throws {
        try settings.check()
        try masks.check()
        if let problem = augmentation.problem { throw ConfigurationError.invalid(key: "augmentation", value: "given", expected: problem) }
        try PartSettings.range("packed_share", packedShare, 0...1)
        try PartSettings.range("full_share", fullShare, 0...1)
        try PartSettings.range("short_steps", Double(shortSteps), 0...1e9)
        try PartSettings.range("validation_limit", Double(validationLimit), 1...1e9)
    }
}
