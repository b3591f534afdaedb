// Speech units: the nearest of some hundred typical frames of 20 ms, in a space of features.
import Foundation
import LyraModel
import MLX

/// What frames are compared by.
public enum UnitFeatures: Sendable, Equatable, CustomStringConvertible {
    /// Log-mel spectra: the two of 10 ms that make a frame.
    case mel
    /// States of a speech encoder after so many of its layers.
    case encoder(layer: Int)

    /// "mel" or "encoder:2".
    public init?(_ text: String) {
        if text == "mel" { self = .mel; return }
        let parts = text.split(separator: ":")
        guard parts.count == 2, parts[0] == "encoder", let layer = Int(parts[1]), layer > 0 else { return nil }
        self = .encoder(layer: layer)
    }

    public var description: String {
        switch self {
        case .mel: "mel"
        case .encoder(let layer): "encoder:\(layer)"
        }
    }
}

/// Makes features of recordings.
public struct UnitFeatureExtractor {
    /// Samples of a frame: 20 ms.
    public static let frameSamples = 2 * LogMel.hopSamples
    public let features: UnitFeatures
    private let encoder: WhisperEncoder?
    private let melBins: Int

    /// - Parameter tower: folder of a speech encoder; not needed for mel features.
    public init(_ features: UnitFeatures, tower: String?) throws {
        self.features = features
        guard case .encoder(let layer) = features else {
            (encoder, melBins) = (nil, 80)
            return
        }
        guard let tower else { throw TrainingError.missingPart("features \(features) need a speech encoder") }
        let configuration = try WhisperConfiguration.load(tower + "/config.json")
        guard layer <= configuration.layers else {
            throw TrainingError.missingPart("features \(features), but the encoder in \(tower) has \(configuration.layers) layers")
        }
        let source = try WeightFiles.open(tower), parameters = Parameters(source)
        encoder = WhisperEncoder(parameters, configuration, prefix: WhisperEncoder.prefix(in: source))
        try parameters.finish()
        melBins = configuration.melBins
    }

    /// [frames, dimensions] float32, a frame for every whole 20 ms and at least one.
    public func callAsFunction(_ samples: [Float]) -> MLXArray {
        let count = max(1, samples.count / Self.frameSamples)
        guard case .encoder(let layer) = features, let encoder else {
            // Rounded up, so that few sizes occur.
            let frames = (count * 2 + 199) / 100 * 100
            let mel = LogMel(bins: melBins, frames: frames)(samples.prefix(frames * LogMel.hopSamples))
            return mel.transposed().reshaped([frames / 2, 2 * melBins])[..<count]
        }
        let logMel = LogMel(bins: melBins, frames: encoder.configuration.positions * 2)
        var pieces: [MLXArray] = []
        for start in stride(from: 0, to: max(1, samples.count), by: logMel.windowSamples) {
            var found: MLXArray?
            let window = samples[start..<min(samples.count, start + logMel.windowSamples)]
            _ = encoder.states(logMel(window).expandedDimensions(axis: 0)) { name, states in
                if name == "layer.\(layer - 1)" { found = states[0] }
            }
            if let found { pieces.append(found) }
        }
        return concatenated(pieces, axis: 0)[..<count]
    }
}

/// A codebook of units, in a file.
public struct UnitCodebook {
    public let features: UnitFeatures
    public let clusters: KMeans

    public init(features: UnitFeatures, clusters: KMeans) { (self.features, self.clusters) = (features, clusters) }

    /// - Throws: `SafetensorsError`, or ``TrainingError`` if the file is no codebook.
    public static func load(_ path: String) throws -> UnitCodebook {
        let file = try SafetensorsFile(URL(fileURLWithPath: path))
        guard let features = file.metadata["features"].flatMap(UnitFeatures.init), file.tensors["centroids"]?.shape.count == 2 else {
            throw TrainingError.missingPart("\(path) is not a codebook of units (lyra data units writes one)")
        }
        return UnitCodebook(features: features, clusters: KMeans(centroids: try file.array(named: "centroids").asType(.float32) + Float(0)))
    }

    public func save(_ path: String) throws {
        try SafetensorsWriter.save(
            ["centroids": clusters.centroids], metadata: ["features": features.description], to: URL(fileURLWithPath: path))
    }
}
