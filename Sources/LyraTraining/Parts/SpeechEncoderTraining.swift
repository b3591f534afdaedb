// Training of the speech encoder: CTC over letters on top of its frames, by a linear map that is left behind afterwards.
import Foundation
import LyraModel
import MLX

/// A speech encoder that spells: Whisper's encoder and a linear map from its frames to letters.
public struct SpellingEncoder {
    let encoder: WhisperEncoder
    let head: (weight: MLXArray, bias: MLXArray)
    let logMels: LogMels

    /// Names of the map's tensors, in training and in its file.
    static let headWeight = "head.weight", headBias = "head.bias"

    /// - Parameter weights: the encoder's tensors without a prefix, and the map's.
    init(_ weights: [String: MLXArray], _ configuration: WhisperConfiguration, computeType: DType, isTraced: Bool) throws {
        let parameters = Parameters(DictionarySource(weights, origin: "the speech encoder"), computeType: computeType, isTraced: isTraced)
        encoder = WhisperEncoder(parameters, configuration, prefix: "")
        logMels = LogMels(bins: configuration.melBins)
        head = (
            parameters.matrix(Self.headWeight, [CharacterTargets.count, configuration.width]),
            parameters.vector(Self.headBias, [CharacterTargets.count])
        )
        try parameters.finish()
    }

    /// The encoder of a tower's folder with the map that training left in `head`.
    /// - Throws: `CheckpointError`, `SafetensorsError` and others if they do not fit.
    public init(tower: String, head: String, precision: Precision = .f32) throws {
        let source = try WeightFiles.open(tower), prefix = WhisperEncoder.prefix(in: source)
        var weights: [String: MLXArray] = [:]
        for name in source.names where name.hasPrefix(prefix) { weights[String(name.dropFirst(prefix.count))] = try source.array(name) }
        let map = try WeightFiles.openFile(head)
        for name in map.names { weights[name] = try map.array(name) }
        try self.init(weights, .load(tower + "/config.json"), computeType: precision.dtype, isTraced: false)
    }

    /// mel: [windows, bins, frames] -> [windows, frames / 2, classes] float32.
    func callAsFunction(_ mel: MLXArray) -> MLXArray {
        Kernel.linear(encoder(mel), weight: head.weight, bias: head.bias, outputType: .float32)
    }

    /// What is heard in a recording, window by window; letters that the frames are best for.
    public func transcribe(_ samples: [Float]) -> String {
        let logMel = logMels[encoder.configuration.positions * 2]
        var classes: [Int32] = []
        for start in stride(from: 0, to: max(1, samples.count), by: logMel.windowSamples) {
            let window = samples[start..<min(samples.count, start + logMel.windowSamples)]
            let logits = self(logMel(window).expandedDimensions(axis: 0))[0]
            classes += argMax(logits, axis: -1).asType(.int32).asArray(Int32.self)
                .prefix(SpeechEncoderTraining.encoderFrames(window.count))
        }
        return CharacterTargets.decode(classes)
    }
}

final class SpeechEncoderTraining: PartTraining {
    let configuration: SpeechEncoderConfiguration
    let parameters: [String: MLXArray]
    let fingerprint: String
    let loader: @Sendable (Int, BatchShare) throws -> SpeechBatch
    let lossNames = ["ctc"]
    private let whisper: WhisperConfiguration
    private let folder: String
    private let frozen: [String: MLXArray]
    private let logMels: LogMels
    private let validation: [SpeechWindow]

    init(_ configuration: SpeechEncoderConfiguration) throws {
        self.configuration = configuration
        let settings = configuration.settings
        let (location, _) = try ModelLocation.resolve(settings.model)
        guard let folder = location.speech else {
            throw location.missing["speech tower"] ?? TrainingError.missingPart("the checkpoint names no speech encoder: \(location.model)")
        }
        self.folder = folder
        whisper = try WhisperConfiguration.load(folder + "/config.json")
        logMels = LogMels(bins: whisper.melBins)
        let whisper = whisper
        var weights = try TowerFolder.weights(folder, prefix: WhisperEncoder.prefix(in:)) { _ = WhisperEncoder($0, whisper, prefix: "") }
        // The table of positions is a formula.
        let frozen = weights.filter { $0.key.hasSuffix("embed_positions.weight") }
        for name in frozen.keys { weights[name] = nil }
        let bound = 1 / Float(whisper.width).squareRoot()
        weights[SpellingEncoder.headWeight] = MLXRandom.uniform(
            low: -bound, high: bound, [CharacterTargets.count, whisper.width], key: MLXRandom.key(settings.seed &+ 0xC7C))
        weights[SpellingEncoder.headBias] = MLXArray.zeros([CharacterTargets.count])
        eval(Array(weights.values) + Array(frozen.values))
        (parameters, self.frozen) = (weights, frozen)

        func maker(_ sources: [DataSource]) throws -> SpeechWindowMaker {
            try SpeechWindowMaker(
                Recordings(sources), configuration, melBins: whisper.melBins, windowSamples: whisper.positions * 2 * LogMel.hopSamples)
        }
        let training = try maker(settings.data)
        loader = { try training.batch($0, $1) }
        fingerprint = "\(training.recordings.fingerprint), width \(whisper.width), layers \(whisper.layers), positions \(whisper.positions)"
        validation = settings.validation.isEmpty ? [] : try maker(settings.validation).unchanged(limit: configuration.validationLimit)
        // Every network is built once here, so that a checkpoint that does not fit is named before the run begins.
        _ = try network(weights, isTraced: true)
    }

    /// Encoder frames (20 ms) that hold some of so many samples.
    static func encoderFrames(_ samples: Int) -> Int { (samples + 2 * LogMel.hopSamples - 1) / (2 * LogMel.hopSamples) }

    private func network(_ weights: [String: MLXArray], isTraced: Bool) throws -> SpellingEncoder {
        try SpellingEncoder(
            weights.merging(frozen) { own, _ in own }, whisper, computeType: configuration.settings.precision.dtype, isTraced: isTraced)
    }

    func losses(_ batch: SpeechBatch, _ weights: [String: MLXArray]) throws -> [MLXArray] {
        let logits = try network(weights, isTraced: true)(logMels(batch))
        let (windows, frames, classes) = (logits.dim(0), logits.dim(1), logits.dim(2))
        let width = batch.windows.reduce(1) { max($0, $1.targets.count) }
        let padded = batch.windows.flatMap { $0.targets + [Int32](repeating: 0, count: width - $0.targets.count) }
        let lengths = batch.windows.map { (frames: min(frames, Self.encoderFrames($0.samples.count)), targets: $0.targets.count) }
        let losses = Kernel.ctcLoss(
            logits: logits.reshaped([windows, frames, classes]), targets: MLXArray(padded, [windows, width]), lengths: lengths,
            blank: CharacterTargets.blank, zeroInfinity: true)
        return [losses.sum() / Float(max(1, lengths.reduce(0) { $0 + $1.targets }))]
    }

    func validate(_ weights: [String: MLXArray]) throws -> [String: Double] {
        guard !validation.isEmpty else { return [:] }
        let network = try network(weights, isTraced: false), logMel = logMels[whisper.positions * 2]
        var errors = ErrorRate()
        for start in stride(from: 0, to: validation.count, by: 8) {
            try Task.checkCancellation()
            let part = validation[start..<min(validation.count, start + 8)]
            let logits = network(stacked(part.map { logMel($0.samples) }, axis: 0))
            let classes = argMax(logits, axis: -1).asType(.int32).asArray(Int32.self)
            for (row, item) in part.enumerated() {
                let first = row * logits.dim(1), count = min(logits.dim(1), Self.encoderFrames(item.samples.count))
                errors.add(heard: CharacterTargets.decode(classes[first..<(first + count)]), said: CharacterTargets.text(item.targets))
            }
        }
        return ["wer": errors.wer, "cer": errors.cer]
    }

    /// `speech_encoder/`, a folder as `mm_speech_tower` names one, and the spelling map beside it.
    func write(_ weights: [String: MLXArray], to output: String, steps: Int) throws -> [String] {
        let place = output + "/speech_encoder", head = output + "/spelling.safetensors"
        try TowerFolder.write(weights, like: folder, prefix: WhisperEncoder.prefix(in:), to: place)
        try SafetensorsWriter.save(
            weights.filter { $0.key == SpellingEncoder.headWeight || $0.key == SpellingEncoder.headBias },
            metadata: ["alphabet": String(CharacterTargets.characters)], to: URL(fileURLWithPath: head))
        return [place, head]
    }
}
