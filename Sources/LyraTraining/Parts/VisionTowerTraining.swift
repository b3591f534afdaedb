// Training of the vision tower: what is to be seen in the place of each of its tokens, read by a linear map that is left behind
// afterwards, or said in the language model's own words.
import Foundation
import Lyra
import LyraMedia
import LyraModel
import MLX

final class VisionTowerTraining: PartTraining {
    let configuration: VisionTowerConfiguration
    let parameters: [String: MLXArray]
    let fingerprint: String
    let loader: @Sendable (Int, BatchShare) throws -> [LabelledPicture]
    let lossNames: [String]
    private let vision: VisionConfiguration
    private let processor: ImageProcessorConfiguration
    private let folder: String
    private let labels: [String]
    private let pictures: LabelledPictures
    private let validation: LabelledPictures?
    /// What tokens are read by where the tower is to speak in a language model's words; nil: by a map that is learnt.
    private let words: LabelWords?

    /// Names of the map's tensors.
    private static let headWeight = "head.weight", headBias = "head.bias"

    init(_ configuration: VisionTowerConfiguration) throws {
        self.configuration = configuration
        let settings = configuration.settings
        let (location, _) = try ModelLocation.resolve(settings.model)
        guard let folder = location.vision else {
            throw location.missing["vision tower"] ?? TrainingError.missingPart("the checkpoint names no vision tower: \(location.model)")
        }
        self.folder = folder
        let vision = try VisionConfiguration.load(folder + "/config.json")
        self.vision = vision
        let path = folder + "/preprocessor_config.json"
        processor = FileManager.default.fileExists(atPath: path) ? try .load(path) : ImageProcessorConfiguration()
        let media = MediaPreparation(vision: vision, processor: processor)
        let vocabulary = try configuration.languageModel.map { try WordEmbeddings(of: $0, width: vision.outputSize) }
        let parts = { label in vocabulary.map { LabelWords.names(of: label, $0) } ?? [label] }
        let pictures = try LabelledPictures(settings.data, media, parts: parts)
        guard !pictures.labels.isEmpty else { throw TrainingError.noUsableSamples("pictures with labelled regions: the data") }
        let labels = pictures.labels
        (self.pictures, self.labels) = (pictures, labels)
        validation = settings.validation.isEmpty ? nil : try LabelledPictures(settings.validation, media, labels: labels, parts: parts)

        var weights = try TowerFolder.weights(folder, prefix: VisionTransformer.prefix(in:)) { _ = VisionTransformer($0, vision) }
        let words = vocabulary.map { LabelWords(labels, $0) }
        (self.words, lossNames) = (words, words == nil ? ["naming"] : ["total", "naming", "length"])
        if words == nil {
            let bound = 1 / Float(vision.outputSize).squareRoot()
            weights[Self.headWeight] = MLXRandom.uniform(
                low: -bound, high: bound, [labels.count, vision.outputSize], key: MLXRandom.key(settings.seed &+ 0x5EE))
            // As rare as labels are.
            weights[Self.headBias] = MLXArray([Float](repeating: -4, count: labels.count), [labels.count])
        }
        eval(Array(weights.values))
        parameters = weights
        let side = vision.patchSize * vision.mergeSize
        loader = { step, share in
            var random = SplitMix64(state: settings.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(step) &* 0xD134_2543_DE82_EF95)
            return try (0..<settings.batchSize).compactMap { place in
                let item = Int.random(in: 0..<pictures.count, using: &random)
                return share.holds(place) ? try pictures.item(item, side: side) : nil
            }
        }
        fingerprint = "pictures \(pictures.count), labels \(labels.count), width \(vision.width), depth \(vision.depth)" + (words == nil ? "" : ", in the words of a vocabulary")
    }

    /// Gives the tower the last layer whose tokens come nearest to the sums of the words, as the rest of it is: by least squares over some
    /// of the pictures. A layer that names labels by a map of its own has outputs many times as large; unlearning that would cost the tower
    /// what it knows.
    func begin(_ weights: inout [String: MLXArray]) throws {
        guard let words else { return }
        let width = vision.width * vision.mergeSize * vision.mergeSize, last = "merger.mlp.2.", side = vision.patchSize * vision.mergeSize
        var open = vision
        open.outputSize = width
        (weights[last + "weight"], weights[last + "bias"]) = (MLXArray.eye(width), zeros([width]))
        var squares = LeastSquares(features: width, targets: vision.outputSize)
        let count = min(1_024, pictures.count)
        for start in stride(from: 0, to: count, by: 32) {
            try Task.checkCancellation()
            let some = try (start..<min(count, start + 32)).map { try pictures.item($0 * pictures.count / count, side: side) }
            let features = try tokens(some, weights, open, isTraced: false).tokens
            squares.add(features.asType(.float32), words.sums(some.flatMap(\.labels)))
        }
        (weights[last + "weight"], weights[last + "bias"]) = squares.solution()
    }

    /// Tokens of all pictures in their order, [tokens, width], and the map from them to labels where it is learnt.
    private func tokens(
        _ pictures: [LabelledPicture], _ weights: [String: MLXArray], _ vision: VisionConfiguration, isTraced: Bool
    ) throws -> (tokens: MLXArray, head: (weight: MLXArray, bias: MLXArray)?) {
        let parameters = Parameters(
            DictionarySource(weights, origin: "the vision tower"), computeType: configuration.settings.precision.dtype, isTraced: isTraced)
        let tower = VisionTransformer(parameters, vision)
        let head =
            words == nil
            ? (
                weight: parameters.matrix(Self.headWeight, [labels.count, vision.outputSize]),
                bias: parameters.vector(Self.headBias, [labels.count])
            ) : nil
        try parameters.finish()
        let patches = concurrentMap(pictures.count) { [processor] number in
            let picture = pictures[number].picture
            return Patches(
                frames: [picture.pixels], size: PixelSize(height: picture.height, width: picture.width), vision: vision, processor: processor)
        }
        return (VisionBatch(patches).tokens { tower($0, isTraced: isTraced) }, head)
    }

    /// Which labels each token has: [tokens, labels] of 0 and 1.
    private func targets(_ pictures: [LabelledPicture]) -> MLXArray { targets(pictures.flatMap(\.labels)) }

    private func targets(_ tokens: [[Int]?]) -> MLXArray {
        var targets = [Float](repeating: 0, count: tokens.count * labels.count)
        for (token, labels) in tokens.enumerated() {
            for label in labels ?? [] { targets[token * self.labels.count + label] = 1 }
        }
        return MLXArray(targets, [tokens.count, labels.count])
    }

    /// -> [tokens, labels] float32
    private func logits(_ tokens: MLXArray, _ head: (weight: MLXArray, bias: MLXArray)) -> MLXArray {
        Kernel.linear(tokens, weight: head.weight, bias: head.bias, outputType: .float32)
    }

    /// Binary cross-entropy, summed over the labels, averaged over the tokens; in words ``LabelWords/entropy(_:_:)`` and
    /// ``WordEmbeddings/penalty(_:)``.
    func losses(_ batch: [LabelledPicture], _ weights: [String: MLXArray]) throws -> [MLXArray] {
        let (tokens, head) = try tokens(batch, weights, vision, isTraced: true)
        if let head {
            let targets = targets(batch), logits = logits(tokens, head)
            // log(1 + e^z) - z t, for any z.
            return [(maximum(logits, Float(0)) + log1p(exp(-abs(logits))) - logits * targets).sum() / Float(targets.dim(0))]
        }
        guard let words else { return [] }
        let entropy = words.entropy(tokens, batch.flatMap(\.labels)), penalty = words.vocabulary.penalty(tokens)
        return [entropy + penalty, entropy, penalty]
    }

    /// Precision and recall of labels that are more probable than not, or recall of those whose words are nearest; and the mean of all
    /// labels' recalls, in which those that come seldom count as much as others.
    func validate(_ weights: [String: MLXArray]) throws -> [String: Double] {
        guard let validation else { return [:] }
        let side = vision.patchSize * vision.mergeSize, count = min(configuration.validationLimit, validation.count)
        // Of each label.
        var right = zeros([labels.count]), named = zeros([labels.count]), there = zeros([labels.count])
        for start in stride(from: 0, to: count, by: 16) {
            try Task.checkCancellation()
            let pictures = try (start..<min(count, start + 16)).map { try validation.item($0 * validation.count / count, side: side) }
            let (tokens, head) = try tokens(pictures, weights, vision, isTraced: false)
            let targets = targets(pictures), guesses: MLXArray
            if let head {
                guesses = (logits(tokens, head) .> Float(0)).asType(.float32)
            } else {
                guesses = self.targets(words?.named(tokens, pictures.flatMap(\.labels)) ?? [])
            }
            right = right + (guesses * targets).sum(axis: 0)
            named = named + guesses.sum(axis: 0)
            there = there + targets.sum(axis: 0)
            eval(right, named, there)
        }
        func share(_ all: MLXArray) -> Double { Double(right.sum().item(Float.self) / max(1, all.sum().item(Float.self))) }
        let seen = zip(right.asArray(Float.self), there.asArray(Float.self)).filter { $0.1 > 0 }
        let macro = seen.reduce(0.0) { $0 + Double($1.0 / $1.1) } / Double(max(1, seen.count))
        let recalls = ["recall": share(there), "macro_recall": macro]
        return words == nil ? recalls.merging(["precision": share(named)]) { own, _ in own } : recalls
    }

    /// `vision_tower/`, a folder as `mm_vision_tower` names one, and the map, where it is learnt, with the names of the labels beside it.
    func write(_ weights: [String: MLXArray], to output: String, steps: Int) throws -> [String] {
        let place = output + "/vision_tower", head = output + "/naming.safetensors", names = output + "/naming.json"
        try TowerFolder.write(weights, like: folder, prefix: VisionTransformer.prefix(in:), to: place)
        guard words == nil else { return [place] }
        try SafetensorsWriter.save(
            weights.filter { $0.key == Self.headWeight || $0.key == Self.headBias }, metadata: ["format": "pt"],
            to: URL(fileURLWithPath: head))
        try JSONEncoder().encode(labels).write(to: URL(fileURLWithPath: names), options: .atomic)
        return [place, head, names]
    }
}
