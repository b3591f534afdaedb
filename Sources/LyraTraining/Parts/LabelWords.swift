// What pictures say, in a language model's words.
import Foundation
import LyraModel
import LyraText
import MLX

/// What a vision tower's tokens are read by when it speaks in the words of a language model: the embeddings of the vocabulary, so that the
/// language model finds in a picture what it knows from text. A label is an entry of the vocabulary; the labels of a region are, in reading
/// order, the pieces of its words.
struct LabelWords {
    let vocabulary: WordEmbeddings
    /// The vocabulary's number of each label.
    private let ids: [Int32]
    /// The embedding of each label, and at the end that of nothing: [labels + 1, width] float32.
    private let embeddings: MLXArray

    /// The labels that a region's label is made of: the pieces of a word within a sentence, as the vocabulary's numbers. A single letter
    /// ("letter a") has none: it lies in a word, and a token that says the letters too says the word less loudly.
    static func names(of label: String, _ vocabulary: WordEmbeddings) -> [String] {
        let space = vocabulary.tokenizer.encode(" ")
        return label.wholeMatch(of: /letter ./) != nil ? [] : vocabulary.tokenizer.encode(" " + label).filter { !space.contains($0) }.map { "\($0)" }
    }

    /// - Parameter labels: as ``names(of:_:)`` makes them.
    init(_ labels: [String], _ vocabulary: WordEmbeddings) {
        ids = labels.compactMap { Int32($0) }
        self.vocabulary = vocabulary
        embeddings = stacked((ids.map { [$0] } + [vocabulary.nothing]).map(vocabulary.sum))
        eval(embeddings)
    }

    /// ``WordEmbeddings/entropy(_:_:)`` of the labels of each token.
    func entropy(_ tokens: MLXArray, _ labels: [[Int]?]) -> MLXArray {
        vocabulary.entropy(tokens, labels.map { $0.map { $0.map { ids[$0] } } })
    }

    /// The sum of the embeddings of each token's labels, or of nothing: [tokens, width]; 0 where it does not matter.
    func sums(_ labels: [[Int]?]) -> MLXArray {
        var places = [Float](repeating: 0, count: labels.count * (ids.count + 1))
        for (token, labels) in labels.enumerated() {
            for label in labels == [] ? [ids.count] : labels ?? [] { places[token * (ids.count + 1) + label] = 1 }
        }
        return Kernel.matmul(MLXArray(places, [labels.count, ids.count + 1]), embeddings)
    }

    /// Which of its labels each token names: those that are among as many nearest words of the vocabulary as it has labels.
    func named(_ tokens: MLXArray, _ labels: [[Int]?]) -> [[Int]] {
        let logits = vocabulary.logits(tokens).asArray(Float.self), size = vocabulary.count
        return labels.enumerated().map { token, labels in
            let row = logits[(token * size)..<((token + 1) * size)], labels = labels ?? []
            return labels.filter { label in
                let own = row[row.startIndex + Int(ids[label])]
                return row.count { $0 > own } < labels.count
            }
        }
    }
}
