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
    let vocabulary: WordEmbeddings
    /// Ids of each label's name.
    let ids: [[Int32]]
    /// The share of each word in a label's name: [labels, vocabulary].
    private let shares: MLXArray

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
        let vocabulary = try WordEmbeddings(location, configuration)
        let space = tokenizer.encode(" ")
        let ids = labels.map { label in tokenizer.encode(" " + label).filter { !space.contains($0) } }
        var shares = [Float](repeating: 0, count: labels.count * vocabulary.count)
        for (label, ids) in ids.enumerated() {
            for id in ids { shares[label * vocabulary.count + Int(id)] += 1 / Float(ids.count) }
        }
        (self.vocabulary, self.ids) = (vocabulary, ids)
        self.shares = MLXArray(shares, [labels.count, vocabulary.count])
        embeddings = stacked(ids.map { vocabulary.table[MLXArray($0, [$0.count])].sum(axis: 0) })
        eval(embeddings, self.shares)
    }

    /// ``WordEmbeddings/entropy(_:_:)`` of the words of each token's labels, each label as much as another.
    ///
    /// - Parameters:
    ///   - tokens: [tokens, width]
    ///   - targets: which labels each has, [tokens, labels] of 0 and 1.
    func entropy(_ tokens: MLXArray, _ targets: MLXArray) -> MLXArray {
        vocabulary.entropy(tokens, Kernel.matmul(targets, shares) / maximum(targets.sum(axis: 1, keepDims: true), Float(1)))
    }

    /// Which of its labels each token names: those all of whose words are nearest to it, of as many words of the vocabulary as its labels
    /// have, and two more.
    func named(_ tokens: MLXArray, _ labels: [[Int]]) -> [[Int]] {
        let logits = vocabulary.logits(tokens).asArray(Float.self), size = vocabulary.count
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
}
