// Combining values with parts of an array, e.g. `a.at[indices].add(values)`.
import CMLX

extension MLXArray {
    /// Picks what ``ArrayAtIndices`` combines values with, e.g. `a.at[indices].add(values)`.
    public var at: ArrayAt { ArrayAt(array: self) }
}

/// An array of which a subscript picks a part; see ``MLXArray/at``.
public struct ArrayAt {
    let array: MLXArray

    /// The part, with the same indices as ``MLXArray`` takes.
    public subscript(indices: any MLXArrayIndex...) -> ArrayAtIndices {
        ArrayAtIndices(array: array, indices: ResolvedIndices(indices, shape: array.shape))
    }
}

/// A part of an array. Its functions return the whole array with values combined into that part; positions that an array
/// of indices names several times take part as often, unlike in `a[indices] += values`.
public struct ArrayAtIndices {
    let array: MLXArray
    let indices: ResolvedIndices

    /// Adds `values`.
    public func add(_ values: some ScalarOrArray) -> MLXArray { update(values, CMLX_SCATTER_ADD) }
    /// Subtracts `values`.
    public func subtract(_ values: some ScalarOrArray) -> MLXArray {
        update(-values.asMLXArray(dtype: array.dtype), CMLX_SCATTER_ADD)
    }
    /// Multiplies by `values`.
    public func multiply(_ values: some ScalarOrArray) -> MLXArray { update(values, CMLX_SCATTER_MULTIPLY) }
    /// Takes the larger of old and new.
    public func maximum(_ values: some ScalarOrArray) -> MLXArray { update(values, CMLX_SCATTER_MAX) }
    /// Takes the smaller of old and new.
    public func minimum(_ values: some ScalarOrArray) -> MLXArray { update(values, CMLX_SCATTER_MIN) }

    private func update(_ values: some ScalarOrArray, _ op: cmlx_scatter_op) -> MLXArray {
        array.updated(indices, values.asMLXArray(dtype: array.dtype), op)
    }
}
