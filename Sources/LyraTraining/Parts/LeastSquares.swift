// Linear maps that come nearest to given points.
import MLX

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
        gram = gram + Kernel.matmul(x, x, transposeA: true)
        right = right + Kernel.matmul(x, targets, transposeA: true)
        eval(gram, right)
    }

    /// - Parameter ridge: in units of the mean square of a feature, summed over the points.
    /// - Returns: weight [targets, features] and bias [targets].
    func solution(ridge: Float = 1e-4) -> (weight: MLXArray, bias: MLXArray) {
        let count = gram.dim(0), unit = MLXArray.eye(count)
        let map = MLXLinalg.solve(gram + unit * ((gram * unit).sum() * (ridge / Float(count))), right)
        return (map[0..<(count - 1)].T, map[count - 1])
    }
}
