// Subscripts of arrays against the same written out in Swift, and that assigning happens in place.
import MLX
import Testing

/// 0, 1, 2, ... in this shape.
func counting(_ shape: Int...) -> MLXArray { MLXArray.arange(shape.reduce(1, *)).reshaped(shape) }

@Suite struct IndexingTests {
    let a = counting(2, 3, 4)

    @Test func readsPositionsAndRanges() {
        #expect(a[1].shape == [3, 4])
        #expect(a[1].asArray(Int.self) == Array(12..<24))
        #expect(a[-1, 2, 3].item(Int.self) == 23)
        #expect(a[0..., 1..<3].shape == [2, 2, 4])
        #expect(a[0..., 1..<3].asArray(Int.self) == Array(4..<12) + Array(16..<24))
        #expect(a[0..., 1].asArray(Int.self) == Array(4..<8) + Array(16..<20))
        #expect(a[0, 0, 1...2].asArray(Int.self) == [1, 2])
        #expect(a[0, 0, ..<2].asArray(Int.self) == [0, 1])
        #expect(a[0, 0, ...(-2)].asArray(Int.self) == [0, 1, 2])
        #expect(a[0, 0, ...(-1)].asArray(Int.self) == [0, 1, 2, 3])
        #expect(a[0, 0, (-2)...].asArray(Int.self) == [2, 3])
        #expect(a[0, 0, -3 ..< -1].asArray(Int.self) == [1, 2])
        #expect(a[0, 0, 1..<100].asArray(Int.self) == [1, 2, 3])
        #expect(a[0, 0, 3..<3].shape == [0])
    }

    @Test func readsEllipsisNewAxesAndStrides() {
        #expect(a[.ellipsis, 1].asArray(Int.self) == [1, 5, 9, 13, 17, 21])
        #expect(a[1, .ellipsis, 0..<1].shape == [3, 1])
        #expect(a[.newAxis, 1, .newAxis].shape == [1, 1, 3, 4])
        #expect(a[.ellipsis, .newAxis].shape == [2, 3, 4, 1])
        #expect(a[0, 0, .stride(by: 2)].asArray(Int.self) == [0, 2])
        #expect(a[0, 0, .stride(from: 1, by: 2)].asArray(Int.self) == [1, 3])
        #expect(a[0, 0, .stride(by: -1)].asArray(Int.self) == [3, 2, 1, 0])
        #expect(a[0, 0, .stride(from: -1, to: 0, by: -2)].asArray(Int.self) == [3, 1])
        #expect(a[.ellipsis].asArray(Int.self) == Array(0..<24))
    }

    @Test func readsArraysOfPositions() {
        let rows = MLXArray([2, 0, -1, 1])
        let picked = a[0..., rows]
        #expect(picked.shape == [2, 4, 4])
        #expect(picked[1, 0].asArray(Int.self) == Array(20..<24))
        #expect(picked[1, 2].asArray(Int.self) == Array(20..<24))
        #expect(a[1, rows, 0].asArray(Int.self) == [20, 12, 20, 16])
        #expect(a[MLXArray([0, 1, 1, 0], [2, 2])].shape == [2, 2, 3, 4])

        // Two arrays broadcast against each other.
        let both = a[MLXArray([0, 1, -1]), MLXArray([2, -3, 1])]
        #expect(both.shape == [3, 4])
        #expect(both.asArray(Int.self) == Array(8..<12) + Array(12..<16) + Array(16..<20))
        #expect(a[0..., MLXArray([0, 1]), MLXArray([3, 2])].asArray(Int.self) == [3, 6, 15, 18])
        #expect(a[MLXArray([0, 1]), 0..., MLXArray([3, 2])].asArray(Int.self) == [3, 7, 11, 14, 18, 22])
    }

    @Test func assignsToSlices() {
        let b = MLXArray.zeros([3, 4], dtype: .int32)
        b[1] = MLXArray([1, 2, 3, 4])
        b[0..., 3] = MLXArray([7, 8, 9])
        b[2, 0..<2] = MLXArray(5)
        b[0, .stride(by: -3)] = MLXArray([6, 5])
        #expect(b.asArray(Int.self) == [5, 0, 0, 6, 1, 2, 3, 8, 5, 5, 0, 9])
        b[.newAxis, 0, 0..<1] = MLXArray([3], [1, 1])
        #expect(b[0, 0].item(Int.self) == 3)
        let c = MLXArray.zeros([2], dtype: .bfloat16)
        c[0] = MLXArray(1.5)
        #expect(c.dtype == .bfloat16)
        #expect(c.asArray(Float.self) == [1.5, 0])
        c[.ellipsis] = MLXArray([2, 3])
        #expect(c.asArray(Float.self) == [2, 3])
    }

    @Test func assignsToArraysOfPositionsAndMasks() {
        let b = counting(3, 4)
        b[MLXArray([2, 0])] = MLXArray([-1, -2], [2, 1])
        #expect(b.asArray(Int.self) == [-2, -2, -2, -2, 4, 5, 6, 7, -1, -1, -1, -1])
        b[0..., MLXArray([1, 3], [1, 2])] = MLXArray(0)
        #expect(b.asArray(Int.self) == [-2, 0, -2, 0, 4, 0, 6, 0, -1, 0, -1, 0])
        b[MLXArray([0, 1]), MLXArray([0, 2])] = MLXArray([50, 60])
        #expect(b.asArray(Int.self) == [50, 0, -2, 0, 4, 0, 60, 0, -1, 0, -1, 0])
        b[1..<3, MLXArray([0])] = MLXArray([8, 9], [2, 1])
        #expect(b[0..., 0].asArray(Int.self) == [50, 8, 9])
        b[b .> 5] = MLXArray(1)
        #expect(b.asArray(Int.self) == [1, 0, -2, 0, 1, 0, 1, 0, 1, 0, -1, 0])
        b[MLXArray([false, true, false])] = MLXArray([1, 2, 3, 4])
        #expect(b[1].asArray(Int.self) == [1, 2, 3, 4])
    }

    @Test func assigningChangesThisReferenceAlone() {
        let b = MLXArray([1, 2, 3])
        let same = b
        let other = b[.ellipsis]
        let converted = b.asType(.int32)
        b[0] = MLXArray(9)
        #expect(same.asArray(Int.self) == [9, 2, 3])
        #expect(other.asArray(Int.self) == [1, 2, 3])
        #expect(converted.asArray(Int.self) == [1, 2, 3])
        b[1] += 5
        #expect(b.asArray(Int.self) == [9, 7, 3])
    }

    private func address(_ array: MLXArray) -> UnsafeRawPointer? { array.withUnsafeBytes { $0.baseAddress } }

    /// A key-value cache grows this way: copying it at every token would cost more than the attention over it.
    @Test func assigningToASliceHappensInPlace() {
        let cache = MLXArray.zeros([2, 64, 8])
        eval(cache)
        let before = address(cache)
        for position in 0..<4 {
            cache[0..., position] = MLXArray.full([2, 8], values: Float(position))
            eval(cache)
            #expect(address(cache) == before)
        }
        #expect(cache[1, 0..., 7].asArray(Float.self).prefix(5) == [0, 1, 2, 3, 0])

        let held = cache[.ellipsis]
        cache[0..., 5] = MLXArray(1.0)
        eval(cache)
        #expect(address(cache) != before, "someone holds the old value, so it must not change")
        #expect(held[0, 5, 0].item(Float.self) == 0)
    }

    @Test func growingACacheAndReadingItHappensInPlace() {
        let cache = MLXArray.zeros([1, 64, 8])
        eval(cache)
        let before = address(cache)
        for position in 0..<6 {
            cache[0..., position] = MLXArray.full([1, 8], values: Float(position))
            let output = cache[0..., 0...position].sum()
            #expect(output.item(Float.self) == Float(8 * position * (position + 1) / 2))
        }
        #expect(address(cache) == before)
    }

    @Test func readsAndWritesAtComputedStarts() {
        let b = counting(3, 4)
        let start = MLXArray([1, 2])
        #expect(slice(b, start: start, axes: [0, 1], size: [2, 2]).asArray(Int.self) == [6, 7, 10, 11])
        let updated = sliceUpdate(b, update: MLXArray([-1, -2], [1, 2]), start: MLXArray([2]), axes: [0])
        #expect(updated[2].asArray(Int.self) == [-1, -2, 10, 11])
    }

    @Test func takesAndPutsAlong() {
        let b = MLXArray([3, 1, 2, 6, 5, 4], [2, 3])
        let order = argSort(b, axis: 1)
        #expect(order.asArray(Int.self) == [1, 2, 0, 2, 1, 0])
        #expect(takeAlong(b, order, axis: 1).asArray(Int.self) == [1, 2, 3, 4, 5, 6])
        let put = putAlong(MLXArray.zeros([2, 3], dtype: .int32), order, values: counting(2, 3), axis: 1)
        #expect(put.asArray(Int.self) == [2, 0, 1, 5, 4, 3])
        let added = scatterAddAlong(
            b, MLXArray([0, 0, 1, 1], [2, 2]), values: MLXArray([10, 20, 1, 1], [2, 2]), axis: 1)
        #expect(added.asArray(Int.self) == [33, 1, 2, 6, 7, 4])
        #expect(take(b, MLXArray([5, 0])).asArray(Int.self) == [4, 3])
        #expect(b.take(MLXArray([2, 0]), axis: 1).asArray(Int.self) == [2, 3, 4, 6])
    }

    @Test func combinesWithParts() {
        let b = MLXArray([1, 2, 3])
        let twice = MLXArray([0, 0, 2])
        #expect(b.at[twice].add(MLXArray([10, 20, 30])).asArray(Int.self) == [31, 2, 33])
        #expect(b.at[twice].add(1).asArray(Int.self) == [3, 2, 4])
        #expect(b.at[twice].multiply(2).asArray(Int.self) == [4, 2, 6])
        #expect(b.at[1...].subtract(1).asArray(Int.self) == [1, 1, 2])
        #expect(b.at[0..<2].maximum(2).asArray(Int.self) == [2, 2, 3])
        #expect(b.at[MLXArray([1, 2])].minimum(2).asArray(Int.self) == [1, 2, 2])
        #expect(counting(2, 2).at[1, MLXArray([0, 0])].add(5).asArray(Int.self) == [0, 1, 12, 3])
        #expect(counting(2, 2).at[0..., MLXArray([0, 0])].add(5).asArray(Int.self) == [10, 1, 12, 3])
        #expect(b.asArray(Int.self) == [1, 2, 3])
    }
}
