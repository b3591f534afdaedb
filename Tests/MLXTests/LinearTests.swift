// Products and convolutions against loops.
import MLX
import Testing

@Suite struct LinearTests {
    @Test func products() {
        let a = MLXArray([1, 2, 3, 4] as [Float], [2, 2])
        let b = MLXArray([5, 6, 7, 8] as [Float], [2, 2])
        #expect(matmul(a, b).asArray(Float.self) == [19, 22, 43, 50])
        #expect(a.matmul(b.T).asArray(Float.self) == [17, 23, 39, 53])
        #expect(addMM(ones([2]), a, b, alpha: 2, beta: 3).asArray(Float.self) == [41, 47, 89, 103])
        #expect(outer(MLXArray([1, 2]), MLXArray([3, 4])).asArray(Int.self) == [3, 4, 6, 8])
        #expect(inner(a, b).asArray(Float.self) == [17, 23, 39, 53])
        #expect(einsum("ij,kj->ik", a, b).asArray(Float.self) == [17, 23, 39, 53])
        #expect(matmul(broadcast(a, to: [3, 2, 2]), b).shape == [3, 2, 2])
        #expect(matmul(a, MLXArray([1, 1] as [Float])).asArray(Float.self) == [3, 7])
    }

    @Test func convolvesSequences() {
        let x = MLXArray.arange(10, dtype: .float32).reshaped(1, 5, 2)
        let w = MLXArray.arange(18, dtype: .float32).reshaped(3, 3, 2) - 8
        let y = conv1d(x, w, stride: 2, padding: 1)
        #expect(y.shape == [1, 3, 3])
        let (input, weight) = (x.asArray(Float.self), w.asArray(Float.self))
        var expected: [Float] = []
        for t in 0..<3 {
            for o in 0..<3 {
                var total: Float = 0
                for k in 0..<3 where (0..<5).contains(2 * t + k - 1) {
                    for c in 0..<2 { total += input[(2 * t + k - 1) * 2 + c] * weight[(o * 3 + k) * 2 + c] }
                }
                expected.append(total)
            }
        }
        #expect(y.asArray(Float.self) == expected)

        let depthwise = conv1d(x, ones([2, 3, 1]), padding: 1, groups: 2)
        #expect(depthwise.asArray(Float.self) == [2, 4, 6, 9, 12, 15, 18, 21, 14, 16])
        #expect(conv1d(x, w, dilation: 2).shape == [1, 1, 3])
    }

    @Test func convolvesPictures() {
        let x = MLXArray.arange(16, dtype: .float32).reshaped(1, 4, 4, 1)
        let y = conv2d(x, ones([1, 2, 2, 1]), stride: 2)
        #expect(y.asArray(Float.self) == [10, 18, 42, 50])
        #expect(conv2d(x, ones([1, 3, 3, 1]), padding: 1).shape == [1, 4, 4, 1])
    }

    @Test func transposedConvolutionSpreadsEachInput() {
        let x = MLXArray([1, 2, 3] as [Float], [1, 3, 1])
        let w = MLXArray([1, 10, 100, 1000] as [Float], [1, 4, 1])
        // Each input writes the kernel at 2 t; where kernels overlap they add.
        #expect(convTransposed1d(x, w, stride: 2).asArray(Float.self) == [1, 10, 102, 1020, 203, 2030, 300, 3000])
        #expect(convTransposed1d(x, w, stride: 2, padding: 1).shape == [1, 6, 1])
        #expect(convTransposed1d(x, w, stride: 2, outputPadding: 1).shape == [1, 9, 1])
        let grouped = convTransposed1d(ones([1, 2, 2]), ones([2, 3, 1]), groups: 2)
        #expect(grouped.asArray(Float.self) == [1, 1, 2, 2, 2, 2, 1, 1])
        #expect(
            convTransposed2d(ones([1, 2, 2, 1]), ones([1, 2, 2, 1]), stride: 2).asArray(Float.self)
                == [Float](repeating: 1, count: 16))
    }
}
