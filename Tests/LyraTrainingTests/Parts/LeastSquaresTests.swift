// Linear maps by least squares find the map there is.
@testable import LyraTraining
import MLX
import Testing

@Suite struct LeastSquaresTests {
    @Test func findsTheMapBehindPoints() {
        let x = MLXRandom.normal([500, 12], key: MLXRandom.key(1)), map = MLXRandom.normal([5, 12], key: MLXRandom.key(2))
        let bias = MLXRandom.normal([5], key: MLXRandom.key(3)), y = x.matmul(map.T) + bias
        var squares = LeastSquares(features: 12, targets: 5)
        squares.add(x[0..<200], y[0..<200])
        squares.add(x[200..<500], y[200..<500])
        let found = squares.solution(ridge: 1e-7)
        #expect(abs(found.weight - map).max().item(Float.self) < 1e-3)
        #expect(abs(found.bias - bias).max().item(Float.self) < 1e-3)
    }

    /// A feature that never varies says nothing: its weight stays small, and nothing becomes infinite.
    @Test func featuresThatSayNothingStayOut() {
        let x = concatenated([MLXRandom.normal([50, 2], key: MLXRandom.key(4)), zeros([50, 1])], axis: 1)
        var squares = LeastSquares(features: 3, targets: 1)
        squares.add(x, x[0..., 0..<1] * Float(2))
        let weight = squares.solution().weight.asArray(Float.self)
        #expect(abs(weight[0] - 2) < 1e-2 && abs(weight[1]) < 1e-2 && weight[2] == 0)
    }
}
