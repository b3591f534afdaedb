// Reductions, sorting, running sums, softmax.
import Foundation
import MLX
import Testing

@Suite struct ReductionTests {
    let a = MLXArray([1, 2, 3, 4, 5, 7] as [Float], [2, 3])

    @Test func sumsAndProducts() {
        #expect(a.sum().item(Float.self) == 22)
        #expect(a.sum().shape == [])
        #expect(a.sum(axis: 0).asArray(Float.self) == [5, 7, 10])
        #expect(sum(a, axis: -1).asArray(Float.self) == [6, 16])
        #expect(a.sum(axis: 1, keepDims: true).shape == [2, 1])
        #expect(a.sum(axes: [0, 1]).item(Float.self) == 22)
        #expect(a.sum(keepDims: true).shape == [1, 1])
        #expect(a.sum(axes: []).asArray(Float.self) == a.asArray(Float.self))
        #expect(a.product(axis: 1).asArray(Float.self) == [6, 140])
        #expect(close(a.mean(axis: 1).asArray(Float.self), [2, 16.0 / 3]))
        #expect(median(a, axis: 1).asArray(Float.self) == [2, 5])
        #expect(MLXArray([true, true]).sum().item(Int.self) == 2)
    }

    @Test func extremesAndTruth() {
        #expect(a.max().item(Float.self) == 7)
        #expect(a.min(axis: 0).asArray(Float.self) == [1, 2, 3])
        #expect(max(a, axis: 1, keepDims: true).asArray(Float.self) == [3, 7])
        #expect(a.argMax().item(Int.self) == 5)
        #expect(a.argMax(axis: 0).asArray(Int.self) == [1, 1, 1])
        #expect(argMin(a, axis: 1).asArray(Int.self) == [0, 0])
        #expect(a.argMax(axis: 1, keepDims: true).shape == [2, 1])
        #expect(a.argMax().dtype == .uint32)
        #expect((a .> 0).all().item(Bool.self))
        #expect(any(a .> 6, axis: 1).asArray(Bool.self) == [false, true])
        #expect(a.max().item(Float.self) == max(a).item(Float.self))
        #expect(MLXArray([1, .nan, 2] as [Float]).max().item(Float.self).isNaN)
    }

    @Test func spread() {
        #expect(close(a.variance(axis: 1).asArray(Float.self), [2.0 / 3, 14.0 / 9]))
        #expect(close(a.variance(axis: 1, ddof: 1).asArray(Float.self), [1, 7.0 / 3]))
        #expect(close([std(a).item(Float.self)], [1.9720266]))
        #expect(close(a.logSumExp(axis: 1).asArray(Float.self), [3.4076059, 7.1698], 1e-5))
        #expect(close([MLXArray([1e4, 1e4] as [Float]).logSumExp().item(Float.self)], [1e4 + log(2)]))
    }

    @Test func sorts() {
        let b = MLXArray([3, 1, 2, 9, 8, 7], [2, 3])
        #expect(sorted(b).asArray(Int.self) == [1, 2, 3, 7, 8, 9])
        #expect(sorted(b, axis: 0).asArray(Int.self) == [3, 1, 2, 9, 8, 7])
        #expect(sorted(b, axis: nil).asArray(Int.self) == [1, 2, 3, 7, 8, 9])
        #expect(argSort(b, axis: -1).asArray(Int.self) == [1, 2, 0, 2, 1, 0])
        #expect(Set(top(b, k: 2)[1].asArray(Int.self)) == [8, 9])
        let position = argPartition(b, kth: 1, axis: 1)[0..., 1]
        #expect(position.asArray(Int.self) == [2, 1])
        #expect(partitioned(b, kth: 1, axis: nil)[1].item(Int.self) == 2)
    }

    @Test func runs() {
        let b = MLXArray([1, 2, 3, 4], [2, 2])
        #expect(cumsum(b, axis: 0).asArray(Int.self) == [1, 2, 4, 6])
        #expect(b.cumsum().asArray(Int.self) == [1, 3, 6, 10])
        #expect(b.cumsum(axis: 1, reverse: true).asArray(Int.self) == [3, 2, 7, 4])
        #expect(b.cumsum(axis: 1, inclusive: false).asArray(Int.self) == [0, 1, 0, 3])
        #expect(b.cumprod(axis: 1).asArray(Int.self) == [1, 2, 3, 12])
        #expect(MLXArray([2, 5, 1]).cummax(axis: 0).asArray(Int.self) == [2, 5, 5])
        #expect(MLXArray([2, 5, 1]).cummin(axis: 0).asArray(Int.self) == [2, 2, 1])
        #expect(close(logCumSumExp(MLXArray([0, 0] as [Float]), axis: 0).asArray(Float.self), [0, log(2)]))
    }

    @Test func softmaxSumsToOneAndKeepsInfinities() {
        let logits = MLXArray([0, 1, 2, -.infinity, 1e4, 0] as [Float], [2, 3])
        let p = softmax(logits, axis: -1).asArray(Float.self)
        #expect(close(p, [0.09003057, 0.24472847, 0.66524096, 0, 1, 0]))
        #expect(close(softmax(logits, axis: 0)[0..., 0].asArray(Float.self), [1, 0]))
        #expect(close([softmax(MLXArray([1, 2] as [Float])).sum().item(Float.self)], [1]))
        let half = softmax(MLXArray([Float](repeating: 0, count: 1000)).asType(.bfloat16), axis: -1, precise: true)
        #expect(half.dtype == .bfloat16)
        #expect(close(half.asArray(Float.self), [Float](repeating: 0.001, count: 1000), 1e-5))
    }
}
