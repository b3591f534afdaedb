// A language model's vocabulary, as what an encoder's tokens are read by.
import Foundation
import LyraModel
import LyraText
import MLX

/// The embeddings of all words of a language model. An encoder that speaks in them makes of what it perceives what the language model
/// would get if it were written.
struct WordEmbeddings {
    /// [vocabulary, width] float32
    let table: MLXArray
    let tokenizer: Tokenizer
    /// The map from tokens to logits, [vocabulary, width]: a token that is a word's embedding raises its logit by 12.
    private let head: MLXArray
    /// The mean square of an embedding.
    private let square: MLXArray
    /// What a token says in whose place there is nothing. A language model brings what it gets to one length, so that a token that
    /// says nothing by being short would be as loud as any other, and say something by chance.
    let nothing: [Int32]
    var count: Int { table.dim(0) }

    /// - Parameters:
    ///   - model: a checkpoint.
    ///   - width: what reads or speaks in the words has tokens of it, which must be the checkpoint's.
    init(of model: String, width: Int) throws {
        let (location, configuration) = try ModelLocation.resolve(model)
        guard configuration.hiddenSize == width else {
            throw ConfigurationError.invalid(
                key: "language_model", value: "a width of \(configuration.hiddenSize)", expected: "the tower's, \(width)")
        }
        try self.init(location, configuration)
    }

    init(_ location: ModelLocation, _ configuration: LyraConfiguration) throws {
        let table = try WeightFiles.open(location.model).array("model.embed_tokens.weight").asType(.float32)
        guard table.shape == [configuration.vocabularySize, configuration.hiddenSize] else {
            throw ConfigurationError.invalid(
                key: "language_model", value: "embeddings of shape \(table.shape)", expected: "a checkpoint that is not quantised")
        }
        tokenizer = try Tokenizer(directory: URL(fileURLWithPath: location.model))
        nothing = tokenizer.encode(" nothing")
        let squares = (table * table).sum(axis: 1, keepDims: true)
        (self.table, head, square) = (table, table * (Float(12) / maximum(squares, Float(1e-6))), squares.mean())
        eval(table, head, square)
    }

    /// -> [tokens, vocabulary] float32
    func logits(_ tokens: MLXArray) -> MLXArray { Kernel.linear(tokens, weight: head, outputType: .float32) }

    /// Cross-entropy of what tokens are to say among the whole vocabulary, since a language model reads a token by what it is nearest to, and
    /// words that nobody asks for are near as well. Averaged over the tokens, of which those that say ``nothing`` count a quarter: they are
    /// many, and all alike.
    ///
    /// - Parameters:
    ///   - tokens: [tokens, width]
    ///   - wanted: for each token the words of what is in its place; none for nothing, nil where it does not matter.
    func entropy(_ tokens: MLXArray, _ wanted: [[Int32]?]) -> MLXArray {
        var shares = [Float](repeating: 0, count: wanted.count * count), weights: [Float] = []
        for (row, ids) in wanted.enumerated() {
            let weight: Float = ids == nil ? 0 : ids?.isEmpty == true ? 0.25 : 1, ids = ids.map { $0.isEmpty ? nothing : $0 } ?? []
            for id in ids { shares[row * count + Int(id)] += weight / Float(ids.count) }
            weights.append(weight)
        }
        let logits = logits(tokens), weight = MLXArray(weights, [weights.count, 1])
        return (logits.logSumExp(axis: 1, keepDims: true) * weight - (MLXArray(shares, logits.shape) * logits).sum(axis: 1, keepDims: true)).sum()
            / max(1, weights.reduce(0, +))
    }

    /// What keeps tokens short, averaged over them: their squares in units of an embedding's. The shortest token that names its words is a
    /// sum of their embeddings, each about once; without this, tokens turn away from all that is not there and are many times as long.
    func penalty(_ tokens: MLXArray) -> MLXArray { squares(tokens) * Float(0.05) }

    /// The mean square of tokens, [..., width], in units of an embedding's.
    func length(_ tokens: MLXArray) -> Float { squares(tokens).item(Float.self) }

    private func squares(_ tokens: MLXArray) -> MLXArray {
        let x = tokens.asType(.float32)
        return (x * x).sum() / (square * Float(tokens.size / table.dim(1)))
    }

    /// The sum of the embeddings of some words: [width]
    func sum(_ ids: [Int32]) -> MLXArray { table[MLXArray(ids, [ids.count])].sum(axis: 0) }
}
