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

/// Linear maps by least squares, with the ridge that keeps them small where features say little.
struct LeastSquares {
    /// Sums of products of features with features and with targets; the last feature is the constant 1.
    private var gram: MLXArray
    private var right: MLXArray

    init(features: Int, targets: Int) {
        (gram, right) = (zeros([features + 1, features + 1]), zeros([features + 1, targets]))
    }

    /// Takes [points, features] and [points, targets], float32.
    mutating func add(_ features: MLXArray, _ targets: MLXArray) {
        let x = concatenated([features, MLXArray.ones([features.dim(0), 1])], axis: 1)
        gram = gram + x.T.matmul(x)
        right = right + x.T.matmul(targets)
        eval(gram, right)
    }

    /// By conjugate gradients, all targets at once (Hestenes and Stiefel 1952).
    /// - Parameter ridge: in units of the mean square of a feature, summed over the points.
    /// - Returns: weight [targets, features] and bias [targets].
    func solution(ridge: Float = 1e-4, iterations: Int = 300) -> (weight: MLXArray, bias: MLXArray) {
        let count = gram.dim(0)
        let damped = gram + MLXArray.eye(count) * ((gram * MLXArray.eye(count)).sum() * (ridge / Float(count)))
        var x = zeros(right.shape), rest = right, direction = right
        var square = (rest * rest).sum(axis: 0)
        for _ in 0..<iterations {
            let image = damped.matmul(direction)
            let length = square / maximum((direction * image).sum(axis: 0), Float.leastNormalMagnitude)
            x = x + direction * length
            rest = rest - image * length
            let next = (rest * rest).sum(axis: 0)
            direction = rest + direction * (next / maximum(square, Float.leastNormalMagnitude))
            square = next
            eval(x, rest, direction, square)
        }
        return (x[0..<(count - 1)].T, x[count - 1])
    }
}
