// Operations that change the shape of arrays, join or cut them. Negative axes count from the end.
import CMLX

extension MLXArray {
    func layout(_ op: cmlx_layout_op, _ values: [Int]?) -> MLXArray {
        let list = values.map { int32($0) }
        return MLXArray.make { cmlx_layout(op, handle, list, list?.count ?? 0, $0) }
    }

    func axis(_ op: cmlx_axis_op, _ x: Int, _ y: Int = 0) -> MLXArray {
        MLXArray.make { cmlx_axis(op, handle, int32(x), int32(y), $0) }
    }

    /// The elements, row-major, in another shape; one length may be -1, for what is left.
    public func reshaped(_ shape: [Int]) -> MLXArray { layout(CMLX_RESHAPE, shape) }
    /// The elements, row-major, in another shape; one length may be -1, for what is left.
    public func reshaped(_ shape: Int...) -> MLXArray { reshaped(shape) }

    /// Axes `start` to `end` (included) made one.
    public func flattened(start: Int = 0, end: Int = -1) -> MLXArray { axis(CMLX_FLATTEN, start, end) }

    /// Axis `axis` cut into axes of lengths `shape`, one of which may be -1.
    public func unflattened(axis: Int, shape lengths: [Int]) -> MLXArray {
        let at = axis < 0 ? ndim + axis : axis
        let own = shape
        return reshaped(Array(own[..<at]) + lengths + Array(own[(at + 1)...]))
    }

    /// Axes in reverse order.
    public func transposed() -> MLXArray { layout(CMLX_TRANSPOSE, nil) }
    /// Axes in the order `axes`: axis i of the result is axis `axes[i]` of self.
    public func transposed(axes: [Int]) -> MLXArray { layout(CMLX_TRANSPOSE, axes) }
    /// Axes in the order `axes`: axis i of the result is axis `axes[i]` of self.
    public func transposed(_ axes: Int...) -> MLXArray { layout(CMLX_TRANSPOSE, axes) }
    /// Axes in reverse order.
    public var T: MLXArray { transposed() }

    /// Two axes exchanged.
    public func swappedAxes(_ axis1: Int, _ axis2: Int) -> MLXArray { axis(CMLX_SWAP_AXES, axis1, axis2) }
    /// Axis `source` moved to `destination`, the others in order.
    public func movedAxis(source: Int, destination: Int) -> MLXArray { axis(CMLX_MOVE_AXIS, source, destination) }

    /// A new axis of length 1 at `axis` of the result.
    public func expandedDimensions(axis: Int) -> MLXArray { layout(CMLX_EXPAND, [axis]) }
    /// New axes of length 1 at `axes` of the result.
    public func expandedDimensions(axes: [Int]) -> MLXArray { layout(CMLX_EXPAND, axes) }
    /// Without all axes of length 1.
    public func squeezed() -> MLXArray { layout(CMLX_SQUEEZE, nil) }
    /// Without `axis`, of length 1.
    public func squeezed(axis: Int) -> MLXArray { layout(CMLX_SQUEEZE, [axis]) }
    /// Without `axes`, each of length 1.
    public func squeezed(axes: [Int]) -> MLXArray { layout(CMLX_SQUEEZE, axes) }

    /// Broadcast to `shape`.
    public func broadcast(to shape: [Int]) -> MLXArray { layout(CMLX_BROADCAST, shape) }
    /// Reversed along `axes`; along all without.
    public func flipped(axes: [Int]? = nil) -> MLXArray { layout(CMLX_FLIP, axes) }
    /// Elements moved by `shift` along `axis`, around the end.
    public func rolled(shift: Int, axis at: Int) -> MLXArray { axis(CMLX_ROLL, shift, at) }

    /// `parts` equal parts along `axis`.
    public func split(parts: Int, axis: Int = 0) -> [MLXArray] {
        let length = dim(axis)
        require(parts > 0 && length % parts == 0, "cannot split \(length) into \(parts) equal parts")
        return split(indices: (1..<Swift.max(parts, 1)).map { $0 * (length / parts) }, axis: axis)
    }

    /// Parts along `axis`, cut before each of `indices`.
    public func split(indices: [Int], axis: Int = 0) -> [MLXArray] {
        let cuts = int32(indices)
        var parts = [cmlx_array?](repeating: nil, count: cuts.count + 1)
        let status = cmlx_split(handle, cuts, cuts.count, int32(axis), &parts)
        require(status == 0, "MLX: \(MLXError.last)")
        return parts.compactMap { $0.map { MLXArray(owning: $0) } }
    }

    /// Its own compact row-major memory.
    public func contiguous() -> MLXArray { unary(CMLX_CONTIGUOUS) }

    /// A view of the memory with other lengths and strides (in elements). Nothing checks that it stays inside.
    public func asStrided(_ shape: [Int], strides: [Int], offset: Int = 0) -> MLXArray {
        let lengths = int32(shape)
        let steps = strides.map(Int64.init)
        require(lengths.count == steps.count, "\(shape) and strides \(strides) differ in length")
        return MLXArray.make { cmlx_as_strided(handle, lengths, steps, lengths.count, offset, $0) }
    }
}

func handles(_ arrays: [MLXArray]) -> [cmlx_array?] { arrays.map(\.handle) }

func join(_ arrays: [MLXArray], stack: Bool, axis: Int) -> MLXArray {
    withExtendedLifetime(arrays) {
        let inputs = handles(arrays)
        return MLXArray.make { cmlx_join(stack, inputs, inputs.count, int32(axis), $0) }
    }
}

/// Joins along an axis that the arrays have.
public func concatenated(_ arrays: [MLXArray], axis: Int = 0) -> MLXArray { join(arrays, stack: false, axis: axis) }
/// Joins arrays of one shape along a new axis.
public func stacked(_ arrays: [MLXArray], axis: Int = 0) -> MLXArray { join(arrays, stack: true, axis: axis) }
/// `parts` equal parts along `axis`.
public func split(_ array: MLXArray, parts: Int, axis: Int = 0) -> [MLXArray] { array.split(parts: parts, axis: axis) }
/// Parts along `axis`, cut before each of `indices`.
public func split(_ array: MLXArray, indices: [Int], axis: Int = 0) -> [MLXArray] {
    array.split(indices: indices, axis: axis)
}
/// Broadcast to `shape`.
public func broadcast(_ array: MLXArray, to shape: [Int]) -> MLXArray { array.broadcast(to: shape) }
/// A new axis of length 1 at `axis` of the result.
public func expandedDimensions(_ array: MLXArray, axis: Int) -> MLXArray { array.expandedDimensions(axis: axis) }
/// Without all axes of length 1.
public func squeezed(_ array: MLXArray) -> MLXArray { array.squeezed() }
/// Its own compact row-major memory.
public func contiguous(_ array: MLXArray) -> MLXArray { array.contiguous() }
/// Each element `count` times in a row along `axis`.
public func repeated(_ array: MLXArray, count: Int, axis: Int) -> MLXArray { array.axis(CMLX_REPEAT, count, axis) }
/// The whole array `repetitions` times along each axis.
public func tiled(_ array: MLXArray, repetitions: [Int]) -> MLXArray { array.layout(CMLX_TILE, repetitions) }
/// The lower triangle, with the `k`-th diagonal; zeros elsewhere.
public func tril(_ array: MLXArray, k: Int = 0) -> MLXArray { array.axis(CMLX_TRIL, k) }
/// The upper triangle, with the `k`-th diagonal; zeros elsewhere.
public func triu(_ array: MLXArray, k: Int = 0) -> MLXArray { array.axis(CMLX_TRIU, k) }
/// The `k`-th diagonal of a matrix, or the matrix that has this vector there.
public func diag(_ array: MLXArray, k: Int = 0) -> MLXArray { array.axis(CMLX_DIAG, k) }
/// Elements moved by `shift` along `axis`, around the end.
public func roll(_ array: MLXArray, shift: Int, axis: Int) -> MLXArray { array.rolled(shift: shift, axis: axis) }

/// How many elements go before and after along an axis.
public struct IntOrPair: ExpressibleByIntegerLiteral, Sendable, Hashable {
    public var first: Int
    public var second: Int
    /// The same number on both sides.
    public init(integerLiteral value: Int) { (first, second) = (value, value) }
    /// The same number on both sides.
    public init(_ value: Int) { (first, second) = (value, value) }
    /// Two numbers.
    public init(_ pair: (Int, Int)) { (first, second) = pair }
}

/// What ``padded(_:widths:mode:value:)`` puts around an array.
public enum PadMode: Sendable {
    /// One value.
    case constant
    /// The outermost elements.
    case edge
    /// The elements next to the border, mirrored about the outermost, which is not repeated.
    case reflect
}

/// Pads all axes by `width`.
public func padded(
    _ array: MLXArray, width: IntOrPair, mode: PadMode = .constant, value: (any ScalarOrArray)? = nil
) -> MLXArray {
    padded(array, widths: [IntOrPair](repeating: width, count: array.ndim), mode: mode, value: value)
}

/// Pads each axis by its own width: with `value` (zero without), with the outermost elements, or mirrored.
public func padded(
    _ array: MLXArray, widths: [IntOrPair], mode: PadMode = .constant, value: (any ScalarOrArray)? = nil
) -> MLXArray {
    require(widths.count == array.ndim, "\(widths.count) widths for shape \(array.shape)")
    if mode == .reflect {
        return widths.indices.reduce(array) {
            reflected($0, axis: $1, before: widths[$1].first, after: widths[$1].second)
        }
    }
    let axes = widths.indices.map { Int32($0) }
    let low = int32(widths.map(\.first))
    let high = int32(widths.map(\.second))
    let fill = (value ?? 0).asMLXArray(dtype: array.dtype)
    return withExtendedLifetime(fill) {
        MLXArray.make {
            cmlx_pad(array.handle, axes, low, high, axes.count, fill.handle, mode == .edge ? "edge" : "constant", $0)
        }
    }
}

private func reflected(_ array: MLXArray, axis: Int, before: Int, after: Int) -> MLXArray {
    let length = array.dim(axis)
    require(before < length && after < length, "cannot mirror \(before) and \(after) of \(length) elements")
    let positions = Array((0..<before).map { before - $0 }) + Array(0..<length) + (0..<after).map { length - 2 - $0 }
    return before == 0 && after == 0 ? array : take(array, MLXArray(positions), axis: axis)
}
