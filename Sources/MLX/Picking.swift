// Reading and writing at positions that are arrays.
import CMLX

/// Elements of `array` at `indices` along `axis`: the shape of `indices` takes the place of that axis. Negative indices
/// count from the end; an index outside reads undefined memory, as MLX does not check.
public func take(_ array: MLXArray, _ indices: MLXArray, axis: Int) -> MLXArray {
    MLXArray.make { cmlx_take(array.handle, indices.handle, [int32(axis)], $0) }
}

/// Elements of the flattened `array` at `indices`.
public func take(_ array: MLXArray, _ indices: MLXArray) -> MLXArray {
    MLXArray.make { cmlx_take(array.handle, indices.handle, nil, $0) }
}

/// For every position of `indices`, the element of `array` there but with that index along `axis`.
public func takeAlong(_ array: MLXArray, _ indices: MLXArray, axis: Int) -> MLXArray {
    MLXArray.make { cmlx_take_along(array.handle, indices.handle, int32(axis), $0) }
}

/// `array` with `values` written where ``takeAlong(_:_:axis:)`` would read.
public func putAlong(_ array: MLXArray, _ indices: MLXArray, values: MLXArray, axis: Int) -> MLXArray {
    MLXArray.make { cmlx_put_along(false, array.handle, indices.handle, values.handle, int32(axis), $0) }
}

/// `array` with `values` added where ``takeAlong(_:_:axis:)`` would read.
public func scatterAddAlong(_ array: MLXArray, _ indices: MLXArray, values: MLXArray, axis: Int) -> MLXArray {
    MLXArray.make { cmlx_put_along(true, array.handle, indices.handle, values.handle, int32(axis), $0) }
}

/// The part of `source` of lengths `size` (one an axis) that begins at `start` (computed, one entry per axis of `axes`).
public func slice(_ source: MLXArray, start: MLXArray, axes: [Int], size: [Int]) -> MLXArray {
    require(size.count == source.ndim, "\(size) does not fit shape \(source.shape)")
    let (list, lengths) = (int32(axes), int32(size))
    return MLXArray.make { cmlx_slice_dynamic(source.handle, start.handle, list, list.count, lengths, $0) }
}

/// `source` with `update` written from `start` on (computed, one entry per axis of `axes`).
///
/// To have it done in place, let go of `source` before the result is computed; assigning through a subscript does.
public func sliceUpdate(_ source: MLXArray, update: MLXArray, start: MLXArray, axes: [Int]) -> MLXArray {
    let list = int32(axes)
    return MLXArray.make { cmlx_slice_update_dynamic(source.handle, update.handle, start.handle, list, list.count, $0) }
}

extension MLXArray {
    /// Elements at `indices` along `axis`: the shape of `indices` takes the place of that axis.
    public func take(_ indices: MLXArray, axis: Int) -> MLXArray { MLX.take(self, indices, axis: axis) }
    /// Elements of the flattened array at `indices`.
    public func take(_ indices: MLXArray) -> MLXArray { MLX.take(self, indices) }
}
