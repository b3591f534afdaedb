// A language model's vocabulary, as what an encoder's tokens are read by.
import LyraModel
import MLX

/// The embeddings of all words of a language model. An encoder that speaks in them makes of what it perceives what the language model
/// would get if it were written.
struct WordEmbeddings {
    /// [vocabulary, width] float32
    let table: MLXArray
    /// The map from tokens to logits, [vocabulary, width]: a token that is a word's embedding raises its logit by 12.
    private let head: MLXArray
    /// The mean square of an embedding.
    let square: MLXArray
    var count: Int { table.dim(0) }

    init(_ location: ModelLocation, _ configuration: LyraConfiguration) throws {
        let table = try WeightFiles.open(location.model).array("model.embed_tokens.weight").asType(.float32)
        guard table.shape == [configuration.vocabularySize, configuration.hiddenSize] else {
            throw ConfigurationError.invalid(
                key: "language_model", value: "embeddings of shape \(table.shape)", expected: "a checkpoint that is not quantised")
        }
        let squares = (table * table).sum(axis: 1, keepDims: true)
        (self.table, head, square) = (table, table * (Float(12) / maximum(squares, Float(1e-6))), squares.mean())
        eval(table, head, square)
    }

    /// -> [tokens, vocabulary] float32
    func logits(_ tokens: MLXArray) -> MLXArray { Kernel.linear(tokens, weight: head, outputType: .float32) }

    /// Cross-entropy among the whole vocabulary, averaged over the tokens that are to be something. A language model reads a token by what
    /// it is nearest to, and words that nobody labels are near as well.
    ///
    /// - Parameters:
    ///   - tokens: [tokens, width]
    ///   - wanted: shares of words, [tokens, vocabulary]; rows sum to 1, or to 0 where nothing is wanted.
    func entropy(_ tokens: MLXArray, _ wanted: MLXArray) -> MLXArray {
        let logits = logits(tokens), named = wanted.sum(axis: 1, keepDims: true)
        return (logits.logSumExp(axis: 1, keepDims: true) * named - (wanted * logits).sum(axis: 1, keepDims: true)).sum()
            / maximum(named.sum(), Float(1))
    }

    /// What keeps tokens short, averaged over them: their squares in units of an embedding's. The shortest token that names its words is a
    /// sum of their embeddings, each about once; without this, tokens turn away from all that is not there and are many times as long.
    func penalty(_ tokens: MLXArray) -> MLXArray {
        let x = tokens.asType(.float32)
        return (x * x).sum() / (square * Float(tokens.dim(0))) * Float(0.05)
    }
}
