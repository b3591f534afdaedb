// Changing shapes, joining and cutting.
import MLX
import Testing

@Suite struct ShapeTests {
    let a = counting(2, 3, 4)

    @Test func reshapes() {
        #expect(a.reshaped(6, -1).shape == [6, 4])
        #expect(a.reshaped([24]).asArray(Int.self) == Array(0..<24))
        #expect(a.flattened().shape == [24])
        #expect(a.flattened(start: 1).shape == [2, 12])
        #expect(a.flattened(start: 0, end: 1).shape == [6, 4])
        #expect(a.unflattened(axis: -1, shape: [2, -1]).shape == [2, 3, 2, 2])
        #expect(a.expandedDimensions(axis: 1).shape == [2, 1, 3, 4])
        #expect(a.expandedDimensions(axes: [0, -1]).shape == [1, 2, 3, 4, 1])
        #expect(a[0..<1].squeezed(axis: 0).shape == [3, 4])
        #expect(a[0..<1, 0..<1].squeezed().shape == [4])
        #expect(a[0..<1, 0..<1].squeezed(axes: [0, 1]).shape == [4])
    }

    @Test func transposes() {
        let t = a.transposed(2, 0, 1)
        #expect(t.shape == [4, 2, 3])
        #expect(t[1].asArray(Int.self) == [1, 5, 9, 13, 17, 21])
        #expect(a.T.shape == [4, 3, 2])
        #expect(a.transposed(axes: [0, 2, 1]).shape == [2, 4, 3])
        #expect(a.swappedAxes(0, -1).shape == [4, 3, 2])
        #expect(a.movedAxis(source: 0, destination: 2).shape == [3, 4, 2])
        #expect(a.T.contiguous().asArray(Int.self) == a.T.asArray(Int.self))
        #expect(a.flipped(axes: [2])[0, 0].asArray(Int.self) == [3, 2, 1, 0])
        #expect(roll(MLXArray([1, 2, 3]), shift: 1, axis: 0).asArray(Int.self) == [3, 1, 2])
        #expect(
            counting(10).asStrided([4, 3], strides: [2, 1]).asArray(Int.self) == [0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8])
    }

    @Test func joinsAndCuts() {
        let b = MLXArray([1, 2])
        #expect(concatenated([b, b]).asArray(Int.self) == [1, 2, 1, 2])
        #expect(concatenated([a, a], axis: 1).shape == [2, 6, 4])
        #expect(stacked([b, b + 2], axis: 1).asArray(Int.self) == [1, 3, 2, 4])
        #expect(split(a, parts: 3, axis: 1).map(\.shape) == [[2, 1, 4], [2, 1, 4], [2, 1, 4]])
        #expect(a.split(indices: [1, 3], axis: -1).map { $0[0, 0].asArray(Int.self) } == [[0], [1, 2], [3]])
        #expect(a.split(parts: 1)[0].shape == [2, 3, 4])
        #expect(repeated(b, count: 2, axis: 0).asArray(Int.self) == [1, 1, 2, 2])
        #expect(tiled(b, repetitions: [2, 2]).asArray(Int.self) == [1, 2, 1, 2, 1, 2, 1, 2])
        #expect(broadcast(b, to: [2, 2]).asArray(Int.self) == [1, 2, 1, 2])
    }

    @Test func pads() {
        let b = MLXArray([1, 2, 3])
        #expect(padded(b, width: 1).asArray(Int.self) == [0, 1, 2, 3, 0])
        #expect(padded(b, widths: [IntOrPair((2, 0))], value: 7).asArray(Int.self) == [7, 7, 1, 2, 3])
        #expect(padded(b, width: 2, mode: .edge).asArray(Int.self) == [1, 1, 1, 2, 3, 3, 3])
        #expect(padded(b, width: 2, mode: .reflect).asArray(Int.self) == [3, 2, 1, 2, 3, 2, 1])
        #expect(padded(counting(2, 2), widths: [0, IntOrPair((0, 1))]).asArray(Int.self) == [0, 1, 0, 2, 3, 0])
    }

    @Test func trianglesAndDiagonals() {
        let m = MLXArray(1..<5).reshaped(2, 2)
        #expect(tril(m).asArray(Int.self) == [1, 0, 3, 4])
        #expect(triu(m, k: 1).asArray(Int.self) == [0, 2, 0, 0])
        #expect(diag(m).asArray(Int.self) == [1, 4])
        #expect(diag(MLXArray([5, 6])).asArray(Int.self) == [5, 0, 0, 6])
    }
}
