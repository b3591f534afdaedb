// Training of the speech encoder and the projector to say what they hear in the language model's own words, which does not run.
import Foundation
import LyraModel
import LyraText
import MLX

/// Speech encoder and projector whose tokens become the embeddings of the words that are said in their place. Recordings that say when
/// that is make a classification of it, which is learnt in a fraction of the steps that an unknown alignment takes.
final class SpeechWordsTraining: PartTraining {
    let configuration: SpeechEncoderConfiguration
    let parameters: [String: MLXArray]
    let fingerprint: String
    let loader: @Sendable (Int, BatchShare) throws -> SpeechBatch
    let lossNames = ["total", "naming", "length"]
    private let location: ModelLocation
    private let lyra: LyraConfiguration
    private let whisper: WhisperConfiguration
    private let frozen: [String: MLXArray]
    /// Names of the projector's tensors.
    private let projector: Set<String>
    private let words: WordEmbeddings
    private let logMels: LogMels
    private let validation: [SpeechWindow]
    /// Samples of a speech token.
    private let tokenSamples: Int

    init(_ configuration: SpeechEncoderConfiguration) throws {
        self.configuration = configuration
        let settings = configuration.settings
        let (location, lyra) = try ModelLocation.resolve(settings.model)
        guard let folder = location.speech else {
            throw location.missing["speech tower"] ?? TrainingError.missingPart("the checkpoint names no speech encoder: \(location.model)")
        }
        (self.location, self.lyra) = (location, lyra)
        let whisper = try WhisperConfiguration.load(folder + "/config.json")
        self.whisper = whisper
        logMels = LogMels(bins: whisper.melBins)
        words = try WordEmbeddings(location, lyra)
        tokenSamples = lyra.speechStack * 2 * LogMel.hopSamples
        var weights = try TowerFolder.weights(folder, prefix: WhisperEncoder.prefix(in:)) { _ = WhisperEncoder($0, whisper, prefix: "") }
        // The table of positions is a formula.
        frozen = weights.filter { $0.key.hasSuffix("embed_positions.weight") }
        for name in frozen.keys { weights[name] = nil }
        let model = try WeightFiles.open(location.model), recorder = Parameters(nil)
        _ = SpeechProjector(recorder, lyra)
        projector = Set(recorder.requests.map(\.name))
        for name in projector { weights[name] = try model.array(name).asType(.float32) + Float(0) }
        eval(Array(weights.values) + Array(frozen.values))
        parameters = weights

        let samples = whisper.positions * 2 * LogMel.hopSamples, spelling = TokenTiming(tokenizer: words.tokenizer)
        func maker(_ sources: [DataSource], _ configuration: SpeechEncoderConfiguration) throws -> SpeechWindowMaker {
            try SpeechWindowMaker(
                Recordings(sources), configuration, melBins: whisper.melBins, windowSamples: samples, spelling: spelling)
        }
        let training = try maker(settings.data, configuration)
        loader = { try training.batch($0, $1) }
        fingerprint = "\(training.recordings.fingerprint), width \(whisper.width), layers \(whisper.layers), positions \(whisper.positions), in words"
        validation = settings.validation.isEmpty ? [] : try maker(settings.validation, configuration).unchanged(limit: configuration.validationLimit)
        // The network is built once here, so that a checkpoint that does not fit is named before the run begins.
        _ = try network(weights, isTraced: true)
    }

    private func network(_ weights: [String: MLXArray], isTraced: Bool) throws -> (MLXArray) -> MLXArray {
        let parameters = Parameters(
            DictionarySource(weights.merging(frozen) { own, _ in own }, origin: "the speech encoder and its projector"),
            computeType: configuration.settings.precision.dtype, isTraced: isTraced)
        let encoder = WhisperEncoder(parameters, whisper, prefix: ""), projector = SpeechProjector(parameters, lyra)
        try parameters.finish()
        return { projector(encoder($0)) }
    }

    /// A projector that does not speak in words yet, whose tokens are many times as long, begins with a last layer of zeros: unlearning its
    /// length would cost the encoder what it knows.
    func begin(_ weights: inout [String: MLXArray]) throws {
        let tokens = try network(weights, isTraced: false)(logMels(loader(0, BatchShare())))
        guard words.length(tokens) > 10 else { return }
        for name in projector where name.contains("linear2") { weights[name] = zeros(weights[name]?.shape ?? []) }
    }

    /// The words of each speech token: those said during a good part of it, or of which a good part is said in it. None in silence; nil beside
    /// a word, where some of it may be heard.
    private func labels(_ window: SpeechWindow, tokens: Int) -> [Set<Int32>?] {
        var labels = [Set<Int32>](repeating: [], count: tokens), isNear = [Bool](repeating: false, count: tokens)
        for token in window.tokens {
            let (start, end) = (token.start / Double(tokenSamples), token.end / Double(tokenSamples))
            for place in LabelledPictures.tokens(start, end, tokens) { labels[place].insert(token.id) }
            let first = max(0, min(tokens, Int(start) - 1)), last = max(first, min(tokens, Int(end) + 2))
            for place in first..<last { isNear[place] = true }
        }
        return zip(labels, isNear).map { $0.isEmpty && $1 ? nil : $0 }
    }

    func losses(_ batch: SpeechBatch, _ weights: [String: MLXArray]) throws -> [MLXArray] {
        let tokens = try network(weights, isTraced: true)(logMels(batch))
        let wanted = batch.windows.flatMap { labels($0, tokens: tokens.dim(1)) }.map { $0.map { $0.sorted() } }
        let flat = tokens.reshaped([wanted.count, words.table.dim(1)])
        let entropy = words.entropy(flat, wanted), penalty = words.penalty(flat)
        return [entropy + penalty, entropy, penalty]
    }

    /// `right`: the share of tokens nearest to a word that is said in their place, of those in whose place one is, over whole windows as
    /// in use.
    func validate(_ weights: [String: MLXArray]) throws -> [String: Double] {
        guard !validation.isEmpty else { return [:] }
        let network = try network(weights, isTraced: false), logMel = logMels[whisper.positions * 2]
        var right = 0, spoken = 0
        for start in stride(from: 0, to: validation.count, by: 8) {
            try Task.checkCancellation()
            let part = Array(validation[start..<min(validation.count, start + 8)])
            let tokens = network(logMel(windows: part.map(\.samples))), count = tokens.dim(1)
            let flat = tokens.reshaped([part.count * count, words.table.dim(1)])
            let nearest = argMax(words.logits(flat), axis: -1).asType(.int32).asArray(Int32.self)
            let wanted = part.flatMap { labels($0, tokens: count) }
            for case (let word, let said?) in zip(nearest, wanted) where !said.isEmpty {
                spoken += 1
                right += said.contains(word) ? 1 : 0
            }
        }
        return ["right": Double(right) / Double(max(1, spoken))]
    }

    /// `model/`: the checkpoint with this encoder and projector, and without adapters, which hold projectors of their own.
    func write(_ weights: [String: MLXArray], to output: String, steps: Int) throws -> [String] {
        let place = output + "/model"
        // A finished run that was resumed: the same weights once more.
        if FileManager.default.fileExists(atPath: place) { try FileManager.default.removeItem(atPath: place) }
        try CheckpointWriter(location, lyra).write(
            to: place,
            replacing: [.whisper: weights.filter { !projector.contains($0.key) }, .model: weights.filter { projector.contains($0.key) }])
        return [place]
    }
}
