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
    /// The map from tokens to logits of labels, without its bias: a token that is a label's embedding raises its logit by 12.
    let head: MLXArray
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
        embeddings = stacked(
            labels.map { label in
                let tokens = tokenizer.encode(" " + label).filter { !space.contains($0) }
                return table[MLXArray(tokens, [tokens.count])].sum(axis: 0)
            })
        let squares = (embeddings * embeddings).sum(axis: 1, keepDims: true)
        (head, square) = (embeddings * (Float(12) / maximum(squares, Float(1e-6))), squares.mean())
        eval(embeddings, head, square)
    }

    /// What keeps tokens short, averaged over them: their squares in units of an embedding's. The shortest token that names its labels is a
    /// sum of their embeddings, each about once; without this, tokens turn away from all that is not there and are many times as long.
    func penalty(_ tokens: MLXArray) -> MLXArray {
        let x = tokens.asType(.float32)
        return (x * x).sum() / (square * Float(tokens.dim(0))) * Float(0.05)
    }
}
