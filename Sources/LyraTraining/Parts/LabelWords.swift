// The names of what pictures show, as a language model's word embeddings.
import Foundation
import LyraModel
import LyraText
import MLX

/// What a vision tower's tokens are read by when it speaks in the words of a language model: the embeddings of the labels' names, so that
/// the language model finds in a picture what it knows from text.
struct LabelWords {
    /// For each label the sum of the embeddings of the tokens of its name, as a word within a sentence: [labels, width] float32.
    let embeddings: MLXArray
    /// The map from tokens to logits of the whole vocabulary, [vocabulary, width]: a token that is a word's embedding raises its logit by 12.
    let head: MLXArray
    /// Ids of each label's name.
    let ids: [[Int32]]
    /// The share of each word in a label's name: [labels, vocabulary].
    private let shares: MLXArray
    private let square: MLXArray

    /// - Parameters:
    ///   - model: a checkpoint.
    ///   - width: of the vision tower's tokens, which must be the checkpoint's.
    init(_ labels: [String], of model: String, width: Int) throws {
        let (location, configuration) = try ModelLocation.resolve(model)
        guard configuration.hiddenSize == width else {
            throw ConfigurationError.invalid(
                key: "language_model", value: "a width of \(configuration.hiddenSize)", expected: "the vision tower's, \(width)")
        }
        let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: location.model))
        let table = try WeightFiles.open(location.model).array("model.embed_tokens.weight").asType(.float32)
        guard table.shape == [configuration.vocabularySize, width] else {
            throw ConfigurationError.invalid(
                key: "language_model", value: "embeddings of shape \(table.shape)", expected: "a checkpoint that is not quantised")
        }
        let space = tokenizer.encode(" ")
        let ids = labels.map { label in tokenizer.encode(" " + label).filter { !space.contains($0) } }
        var shares = [Float](repeating: 0, count: labels.count * configuration.vocabularySize)
        for (label, ids) in ids.enumerated() {
            for id in ids { shares[label * configuration.vocabularySize + Int(id)] += 1 / Float(ids.count) }
        }
        self.ids = ids
        self.shares = MLXArray(shares, [labels.count, configuration.vocabularySize])
        embeddings = stacked(ids.map { table[MLXArray($0, [$0.count])].sum(axis: 0) })
        let squares = (table * table).sum(axis: 1, keepDims: true)
        (head, square) = (table * (Float(12) / maximum(squares, Float(1e-6))), (embeddings * embeddings).sum(axis: 1).mean())
        eval(embeddings, head, square, self.shares)
    }

    /// Cross-entropy of the words of each token's labels, each label as much as another, among the whole vocabulary; averaged over the
    /// tokens that have labels. A language model reads a token by what it is nearest to, and what no label has is near as well.
    ///
    /// - Parameters:
    ///   - tokens: [tokens, width]
    ///   - targets: which labels each has, [tokens, labels] of 0 and 1.
    func entropy(_ tokens: MLXArray, _ targets: MLXArray) -> MLXArray {
        let logits = logits(tokens), count = targets.sum(axis: 1, keepDims: true)
        let named = minimum(count, Float(1)), wanted = Kernel.matmul(targets, shares) / maximum(count, Float(1))
        return (logits.logSumExp(axis: 1, keepDims: true) * named - (wanted * logits).sum(axis: 1, keepDims: true)).sum()
            / maximum(named.sum(), Float(1))
    }

    /// -> [tokens, vocabulary] float32
    private func logits(_ tokens: MLXArray) -> MLXArray { Kernel.linear(tokens, weight: head, outputType: .float32) }

    /// Which of its labels each token names: those all of whose words are nearest to it, of as many words of the vocabulary as its labels
    /// have, and two more.
    func named(_ tokens: MLXArray, _ labels: [[Int]]) -> [[Int]] {
        let logits = logits(tokens).asArray(Float.self), size = head.dim(0)
        return labels.enumerated().map { token, labels in
            let row = logits[(token * size)..<((token + 1) * size)], most = Set(labels.flatMap { ids[$0] }).count + 2
            return labels.filter { label in
                ids[label].allSatisfy { id in
                    let own = row[row.startIndex + Int(id)]
                    return row.count { $0 > own } < most
                }
            }
        }
    }

    /// What keeps tokens short, averaged over them: their squares in units of an embedding's. The shortest token that names its labels is a
    /// sum of their embeddings, each about once; without this, tokens turn away from all that is not there and are many times as long.
    func penalty(_ tokens: MLXArray) -> MLXArray {
        let x = tokens.asType(.float32)
        return (x * x).sum() / (square * Float(tokens.dim(0))) * Float(0.05)
    }
}
