// The names of what pictures show, in a language model's words.
import Foundation
import LyraModel
import LyraText
import MLX

/// What a vision tower's tokens are read by when it speaks in the words of a language model: the embeddings of the labels' names, so that
/// the language model finds in a picture what it knows from text.
struct LabelWords {
    let vocabulary: WordEmbeddings
    /// Ids of each label's name, as a word within a sentence.
    let ids: [[Int32]]
    /// How much of a token each label takes beside others. What is seldom seen takes more: a printed word, of which there are hundreds, lies
    /// in a colour, which is everywhere and soon learnt.
    private let weights: [Float]
    /// For each label the sum of its words' embeddings, and at the end that of nothing's: [labels + 1, width] float32.
    private let embeddings: MLXArray

    /// Whether a label is something to say. A small letter is not: it lies in a word, and a token that says the letters too says the word
    /// less loudly.
    static func isName(_ label: String) -> Bool { !(label.count == 1 && label.allSatisfy(\.isLowercase)) }

    /// - Parameters:
    ///   - counts: how often each label is there.
    ///   - model: a checkpoint.
    ///   - width: of the vision tower's tokens, which must be the checkpoint's.
    init(_ labels: [String], counts: [Int], of model: String, width: Int) throws {
        let (location, configuration) = try ModelLocation.resolve(model)
        guard configuration.hiddenSize == width else {
            throw ConfigurationError.invalid(
                key: "language_model", value: "a width of \(configuration.hiddenSize)", expected: "the vision tower's, \(width)")
        }
        let vocabulary = try WordEmbeddings(location, configuration), space = vocabulary.tokenizer.encode(" ")
        ids = labels.map { label in vocabulary.tokenizer.encode(" " + label).filter { !space.contains($0) } }
        weights = counts.map { Float(max(1, $0)) }.map { pow($0, -0.3) }
        self.vocabulary = vocabulary
        embeddings = stacked((ids + [vocabulary.nothing]).map(vocabulary.sum))
        eval(embeddings)
    }

    /// ``WordEmbeddings/entropy(_:_:)`` of the labels of each token.
    func entropy(_ tokens: MLXArray, _ labels: [[Int]?]) -> MLXArray {
        vocabulary.entropy(tokens, labels.map { labels in labels.map { $0.map { .init(ids: ids[$0], weight: weights[$0]) } } })
    }

    /// The sum of the embeddings of each token's labels, or of nothing: [tokens, width]; 0 where it does not matter.
    func sums(_ labels: [[Int]?]) -> MLXArray {
        var places = [Float](repeating: 0, count: labels.count * (ids.count + 1))
        for (token, labels) in labels.enumerated() {
            for label in labels == [] ? [ids.count] : labels ?? [] { places[token * (ids.count + 1) + label] = 1 }
        }
        return Kernel.matmul(MLXArray(places, [labels.count, ids.count + 1]), embeddings)
    }

    /// Which of its labels each token names: those all of whose words are nearest to it, of as many words of the vocabulary as its labels
    /// have, and two more.
    func named(_ tokens: MLXArray, _ labels: [[Int]?]) -> [[Int]] {
        let logits = vocabulary.logits(tokens).asArray(Float.self), size = vocabulary.count
        return labels.enumerated().map { token, labels in
            let row = logits[(token * size)..<((token + 1) * size)], most = Set((labels ?? []).flatMap { ids[$0] }).count + 2
            return (labels ?? []).filter { label in
                ids[label].allSatisfy { id in
                    let own = row[row.startIndex + Int(id)]
                    return row.count { $0 > own } < most
                }
            }
        }
    }
}
