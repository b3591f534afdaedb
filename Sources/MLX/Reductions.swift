// Reductions along axes. Without axes: over all elements. `keepDims` leaves reduced axes with length 1.
import CMLX

extension MLXArray {
    func reduce(_ op: cmlx_reduce_op, _ axes: [Int]?, _ keepDims: Bool, ddof: Int = 0) -> MLXArray {
        let list = axes.map { int32($0) }
        return MLXArray.make { cmlx_reduce(op, handle, list, list?.count ?? 0, keepDims, int32(ddof), $0) }
    }

    /// Sum along `axes`.
    public func sum(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_SUM, axes, keepDims) }
    /// Sum along `axis`.
    public func sum(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_SUM, [axis], keepDims) }
    /// Sum over the whole array.
    public func sum(keepDims: Bool = false) -> MLXArray { reduce(CMLX_SUM, nil, keepDims) }

    /// Product along `axes`.
    public func product(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_PRODUCT, axes, keepDims) }
    /// Product along `axis`.
    public func product(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_PRODUCT, [axis], keepDims) }
    /// Product over the whole array.
    public func product(keepDims: Bool = false) -> MLXArray { reduce(CMLX_PRODUCT, nil, keepDims) }

    /// Mean along `axes`.
    public func mean(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_MEAN, axes, keepDims) }
    /// Mean along `axis`.
    public func mean(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_MEAN, [axis], keepDims) }
    /// Mean over the whole array.
    public func mean(keepDims: Bool = false) -> MLXArray { reduce(CMLX_MEAN, nil, keepDims) }

    /// Median along `axes`.
    public func median(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_MEDIAN, axes, keepDims) }
    /// Median along `axis`.
    public func median(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_MEDIAN, [axis], keepDims) }
    /// Median over the whole array.
    public func median(keepDims: Bool = false) -> MLXArray { reduce(CMLX_MEDIAN, nil, keepDims) }

    /// Largest element along `axes`.
    public func max(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_MAX, axes, keepDims) }
    /// Largest element along `axis`.
    public func max(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_MAX, [axis], keepDims) }
    /// Largest element over the whole array.
    public func max(keepDims: Bool = false) -> MLXArray { reduce(CMLX_MAX, nil, keepDims) }

    /// Smallest element along `axes`.
    public func min(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_MIN, axes, keepDims) }
    /// Smallest element along `axis`.
    public func min(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_MIN, [axis], keepDims) }
    /// Smallest element over the whole array.
    public func min(keepDims: Bool = false) -> MLXArray { reduce(CMLX_MIN, nil, keepDims) }

    /// log of the sum of exp, computed safely, along `axes`.
    public func logSumExp(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_LOGSUMEXP, axes, keepDims) }
    /// log of the sum of exp, computed safely, along `axis`.
    public func logSumExp(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_LOGSUMEXP, [axis], keepDims) }
    /// log of the sum of exp, computed safely, over the whole array.
    public func logSumExp(keepDims: Bool = false) -> MLXArray { reduce(CMLX_LOGSUMEXP, nil, keepDims) }

    /// Whether all elements are true (not zero) along `axes`.
    public func all(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_ALL, axes, keepDims) }
    /// Whether all elements are true (not zero) along `axis`.
    public func all(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_ALL, [axis], keepDims) }
    /// Whether all elements are true (not zero) over the whole array.
    public func all(keepDims: Bool = false) -> MLXArray { reduce(CMLX_ALL, nil, keepDims) }

    /// Whether any element is true (not zero) along `axes`.
    public func any(axes: [Int], keepDims: Bool = false) -> MLXArray { reduce(CMLX_ANY, axes, keepDims) }
    /// Whether any element is true (not zero) along `axis`.
    public func any(axis: Int, keepDims: Bool = false) -> MLXArray { reduce(CMLX_ANY, [axis], keepDims) }
    /// Whether any element is true (not zero) over the whole array.
    public func any(keepDims: Bool = false) -> MLXArray { reduce(CMLX_ANY, nil, keepDims) }

    /// Variance along `axes`, dividing by count - `ddof`.
    public func variance(axes: [Int], keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
        reduce(CMLX_VARIANCE, axes, keepDims, ddof: ddof)
    }
    /// Variance along `axis`, dividing by count - `ddof`.
    public func variance(axis: Int, keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
        reduce(CMLX_VARIANCE, [axis], keepDims, ddof: ddof)
    }
    /// Variance over the whole array, dividing by count - `ddof`.
    public func variance(keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
        reduce(CMLX_VARIANCE, nil, keepDims, ddof: ddof)
    }

    /// Standard deviation along `axes`, dividing by count - `ddof`.
    public func std(axes: [Int], keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
        reduce(CMLX_STD, axes, keepDims, ddof: ddof)
    }
    /// Standard deviation along `axis`, dividing by count - `ddof`.
    public func std(axis: Int, keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
        reduce(CMLX_STD, [axis], keepDims, ddof: ddof)
    }
    /// Standard deviation over the whole array, dividing by count - `ddof`.
    public func std(keepDims: Bool = false, ddof: Int = 0) -> MLXArray { reduce(CMLX_STD, nil, keepDims, ddof: ddof) }
}

/// Sum along `axes`.
public func sum(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_SUM, axes, keepDims)
}
/// Sum along `axis`.
public func sum(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_SUM, [axis], keepDims)
}
/// Sum over the whole array.
public func sum(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_SUM, nil, keepDims) }

/// Product along `axes`.
public func product(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_PRODUCT, axes, keepDims)
}
/// Product along `axis`.
public func product(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_PRODUCT, [axis], keepDims)
}
/// Product over the whole array.
public func product(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_PRODUCT, nil, keepDims) }

/// Mean along `axes`.
public func mean(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MEAN, axes, keepDims)
}
/// Mean along `axis`.
public func mean(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MEAN, [axis], keepDims)
}
/// Mean over the whole array.
public func mean(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_MEAN, nil, keepDims) }

/// Median along `axes`.
public func median(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MEDIAN, axes, keepDims)
}
/// Median along `axis`.
public func median(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MEDIAN, [axis], keepDims)
}
/// Median over the whole array.
public func median(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_MEDIAN, nil, keepDims) }

/// Largest element along `axes`.
public func max(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MAX, axes, keepDims)
}
/// Largest element along `axis`.
public func max(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MAX, [axis], keepDims)
}
/// Largest element over the whole array.
public func max(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_MAX, nil, keepDims) }

/// Smallest element along `axes`.
public func min(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MIN, axes, keepDims)
}
/// Smallest element along `axis`.
public func min(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_MIN, [axis], keepDims)
}
/// Smallest element over the whole array.
public func min(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_MIN, nil, keepDims) }

/// log of the sum of exp, computed safely, along `axes`.
public func logSumExp(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_LOGSUMEXP, axes, keepDims)
}
/// log of the sum of exp, computed safely, along `axis`.
public func logSumExp(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_LOGSUMEXP, [axis], keepDims)
}
/// log of the sum of exp, computed safely, over the whole array.
public func logSumExp(_ array: MLXArray, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_LOGSUMEXP, nil, keepDims)
}

/// Whether all elements are true (not zero) along `axes`.
public func all(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_ALL, axes, keepDims)
}
/// Whether all elements are true (not zero) along `axis`.
public func all(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_ALL, [axis], keepDims)
}
/// Whether all elements are true (not zero) over the whole array.
public func all(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_ALL, nil, keepDims) }

/// Whether any element is true (not zero) along `axes`.
public func any(_ array: MLXArray, axes: [Int], keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_ANY, axes, keepDims)
}
/// Whether any element is true (not zero) along `axis`.
public func any(_ array: MLXArray, axis: Int, keepDims: Bool = false) -> MLXArray {
    array.reduce(CMLX_ANY, [axis], keepDims)
}
/// Whether any element is true (not zero) over the whole array.
public func any(_ array: MLXArray, keepDims: Bool = false) -> MLXArray { array.reduce(CMLX_ANY, nil, keepDims) }

/// Variance along `axes`, dividing by count - `ddof`.
public func variance(_ array: MLXArray, axes: [Int], keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
    array.reduce(CMLX_VARIANCE, axes, keepDims, ddof: ddof)
}
/// Variance along `axis`, dividing by count - `ddof`.
public func variance(_ array: MLXArray, axis: Int, keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
    array.reduce(CMLX_VARIANCE, [axis], keepDims, ddof: ddof)
}
/// Variance over the whole array, dividing by count - `ddof`.
public func variance(_ array: MLXArray, keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
    array.reduce(CMLX_VARIANCE, nil, keepDims, ddof: ddof)
}

/// Standard deviation along `axes`, dividing by count - `ddof`.
public func std(_ array: MLXArray, axes: [Int], keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
    array.reduce(CMLX_STD, axes, keepDims, ddof: ddof)
}
/// Standard deviation along `axis`, dividing by count - `ddof`.
public func std(_ array: MLXArray, axis: Int, keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
    array.reduce(CMLX_STD, [axis], keepDims, ddof: ddof)
}
/// Standard deviation over the whole array, dividing by count - `ddof`.
public func std(_ array: MLXArray, keepDims: Bool = false, ddof: Int = 0) -> MLXArray {
    array.reduce(CMLX_STD, nil, keepDims, ddof: ddof)
}
