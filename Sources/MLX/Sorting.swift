// Positions of extremes, sorting, running sums, softmax. Without an axis: in the flattened array.
import CMLX

extension MLXArray {
    private func argReduce(largest: Bool, axis: Int?, keepDims: Bool) -> MLXArray {
        let list = axis.map { [int32($0)] }
        return MLXArray.make { cmlx_arg_reduce(largest, handle, list, keepDims, $0) }
    }

    /// Position of the largest element along `axis`, `uint32`.
    public func argMax(axis: Int, keepDims: Bool = false) -> MLXArray {
        argReduce(largest: true, axis: axis, keepDims: keepDims)
    }
    /// Position of the largest element of the flattened array, `uint32`.
    public func argMax(keepDims: Bool = false) -> MLXArray { argReduce(largest: true, axis: nil, keepDims: keepDims) }
    /// Position of the smallest element along `axis`, `uint32`.
    public func argMin(axis: Int, keepDims: Bool = false) -> MLXArray {
        argReduce(largest: false, axis: axis, keepDims: keepDims)
    }
    /// Position of the smallest element of the flattened array, `uint32`.
    public func argMin(keepDims: Bool = false) -> MLXArray { argReduce(largest: false, axis: nil, keepDims: keepDims) }

    func sort(_ op: cmlx_sort_op, k: Int = 0, axis: Int?) -> MLXArray {
        let source = axis == nil ? flattened() : self
        return withExtendedLifetime(source) {
            MLXArray.make { cmlx_sort(op, source.handle, int32(k), int32(axis ?? 0), $0) }
        }
    }

    func scan(_ op: cmlx_scan_op, _ axis: Int?, _ reverse: Bool, _ inclusive: Bool) -> MLXArray {
        let source = axis == nil ? flattened() : self
        return withExtendedLifetime(source) {
            MLXArray.make { cmlx_scan(op, source.handle, int32(axis ?? 0), reverse, inclusive, $0) }
        }
    }

    /// Running sum; not `inclusive`: of the elements before.
    public func cumsum(axis: Int? = nil, reverse: Bool = false, inclusive: Bool = true) -> MLXArray {
        scan(CMLX_CUMSUM, axis, reverse, inclusive)
    }
    /// Running product; not `inclusive`: of the elements before.
    public func cumprod(axis: Int? = nil, reverse: Bool = false, inclusive: Bool = true) -> MLXArray {
        scan(CMLX_CUMPROD, axis, reverse, inclusive)
    }
    /// Running largest.
    public func cummax(axis: Int? = nil, reverse: Bool = false, inclusive: Bool = true) -> MLXArray {
        scan(CMLX_CUMMAX, axis, reverse, inclusive)
    }
    /// Running smallest.
    public func cummin(axis: Int? = nil, reverse: Bool = false, inclusive: Bool = true) -> MLXArray {
        scan(CMLX_CUMMIN, axis, reverse, inclusive)
    }
}

/// Position of the largest element along `axis`, `uint32`.
public func argMax(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.argMax(axis: axis, keepDims: keepDims)
}
/// Position of the largest element of the flattened array, `uint32`.
public func argMax(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.argMax(keepDims: keepDims) }
/// Position of the smallest element along `axis`, `uint32`.
public func argMin(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.argMin(axis: axis, keepDims: keepDims)
}
/// Position of the smallest element of the flattened array, `uint32`.
public func argMin(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.argMin(keepDims: keepDims) }

/// Ascending along `axis`.
public func sorted(_ array: MLXArray, axis: Int? = -1) -> MLXArray { array.sort(CMLX_SORT, axis: axis) }
/// Positions that would sort along `axis`, `uint32`.
public func argSort(_ array: MLXArray, axis: Int? = -1) -> MLXArray { array.sort(CMLX_ARGSORT, axis: axis) }
/// The `kth` element where sorting would put it, smaller ones before, larger ones after.
public func partitioned(_ array: MLXArray, kth: Int, axis: Int? = -1) -> MLXArray {
    array.sort(CMLX_PARTITION, k: kth, axis: axis)
}
/// Positions that ``partitioned(_:kth:axis:)`` takes its elements from, `uint32`.
public func argPartition(_ array: MLXArray, kth: Int, axis: Int? = -1) -> MLXArray {
    array.sort(CMLX_ARGPARTITION, k: kth, axis: axis)
}
/// The `k` largest elements along `axis`, in no order.
public func top(_ array: MLXArray, k: Int, axis: Int? = -1) -> MLXArray { array.sort(CMLX_TOPK, k: k, axis: axis) }

/// Running sum; not `inclusive`: of the elements before.
public func cumsum(_ array: MLXArray, axis: Int? = nil, reverse: Bool = false, inclusive: Bool = true) -> MLXArray {
    array.cumsum(axis: axis, reverse: reverse, inclusive: inclusive)
}
/// Running log of the sum of exp.
public func logCumSumExp(_ array: MLXArray, axis: Int? = nil, reverse: Bool = false, inclusive: Bool = true) -> MLXArray
{
    array.scan(CMLX_LOGCUMSUMEXP, axis, reverse, inclusive)
}

/// exp(x) over its sum along `axes`. `precise`: computed in float32 whatever the type.
public func softmax(_ array: MLXArray, axes: [Int], precise: Bool = false) -> MLXArray {
    let list = int32(axes)
    return MLXArray.make { cmlx_softmax(array.handle, list, list.count, precise, $0) }
}
/// exp(x) over its sum along `axis`. `precise`: computed in float32 whatever the type.
public func softmax(_ array: MLXArray, axis: Int, precise: Bool = false) -> MLXArray {
    softmax(array, axes: [axis], precise: precise)
}
/// exp(x) over its sum. `precise`: computed in float32 whatever the type.
public func softmax(_ array: MLXArray, precise: Bool = false) -> MLXArray {
    MLXArray.make { cmlx_softmax(array.handle, nil, 0, precise, $0) }
}
