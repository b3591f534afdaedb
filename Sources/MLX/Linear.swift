// Products of matrices, contractions, convolutions (MLX's own; the fast CPU paths are in the kernels).
import CMLX

extension MLXArray {
    /// Matrix product of the last two axes; those before broadcast.
    public func matmul(_ other: MLXArray) -> MLXArray { MLXArray.binary(CMLX_MATMUL, self, other) }
}

/// Matrix product of the last two axes; those before broadcast.
public func matmul(_ a: MLXArray, _ b: MLXArray) -> MLXArray { MLXArray.binary(CMLX_MATMUL, a, b) }
/// Sum of products over the last axis of both.
public func inner(_ a: MLXArray, _ b: MLXArray) -> MLXArray { MLXArray.binary(CMLX_INNER, a, b) }
/// Every element of `a` times every element of `b`: `[a.size, b.size]`.
public func outer(_ a: MLXArray, _ b: MLXArray) -> MLXArray { MLXArray.binary(CMLX_OUTER, a, b) }

/// `alpha a b + beta c`.
public func addMM(_ c: MLXArray, _ a: MLXArray, _ b: MLXArray, alpha: Float = 1, beta: Float = 1) -> MLXArray {
    MLXArray.make { cmlx_addmm(c.handle, a.handle, b.handle, alpha, beta, $0) }
}

/// Einstein summation, e.g. `einsum("ij,jk->ik", a, b)`.
public func einsum(_ subscripts: String, _ operands: MLXArray...) -> MLXArray {
    withExtendedLifetime(operands) {
        let inputs = handles(operands)
        return MLXArray.make { cmlx_einsum(subscripts, inputs, inputs.count, $0) }
    }
}

/// Convolution over any number of spatial axes, channels last.
///
/// `array` is `[batch, spatial..., channels]`, `weight` `[out, kernel..., channels / groups]`; lists have one entry a
/// spatial axis. Not flipped, as everywhere in machine learning, unless `flip`.
public func convGeneral(
    _ array: MLXArray, _ weight: MLXArray, strides: [Int], padding: [(Int, Int)], kernelDilation: [Int],
    inputDilation: [Int], groups: Int = 1, flip: Bool = false
) -> MLXArray {
    let rank = array.ndim - 2
    require(
        rank > 0
            && [strides.count, padding.count, kernelDilation.count, inputDilation.count].allSatisfy { $0 == rank },
        "lists with one entry a spatial axis are needed for shape \(array.shape)")
    let (low, high) = (int32(padding.map(\.0)), int32(padding.map(\.1)))
    let (steps, kernel, input) = (int32(strides), int32(kernelDilation), int32(inputDilation))
    return MLXArray.make {
        cmlx_conv(array.handle, weight.handle, steps, low, high, kernel, input, rank, int32(groups), flip, $0)
    }
}

/// `array` `[batch, length, channels]`, `weight` `[out, kernel, channels / groups]` -> `[batch, length', out]`.
public func conv1d(
    _ array: MLXArray, _ weight: MLXArray, stride: Int = 1, padding: Int = 0, dilation: Int = 1, groups: Int = 1
) -> MLXArray {
    convGeneral(
        array, weight, strides: [stride], padding: [(padding, padding)], kernelDilation: [dilation], inputDilation: [1],
        groups: groups)
}

/// `array` `[batch, height, width, channels]`, `weight` `[out, height, width, channels / groups]`.
public func conv2d(
    _ array: MLXArray, _ weight: MLXArray, stride: IntOrPair = 1, padding: IntOrPair = 0, dilation: IntOrPair = 1,
    groups: Int = 1
) -> MLXArray {
    convGeneral(
        array, weight, strides: [stride.first, stride.second],
        padding: [(padding.first, padding.first), (padding.second, padding.second)],
        kernelDilation: [dilation.first, dilation.second], inputDilation: [1, 1], groups: groups)
}

/// Transposed convolution: `array` `[batch, length, channels]`, `weight` `[out, kernel, channels / groups]` ->
/// `[batch, (length - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1, out]`.
public func convTransposed1d(
    _ array: MLXArray, _ weight: MLXArray, stride: Int = 1, padding: Int = 0, dilation: Int = 1, outputPadding: Int = 0,
    groups: Int = 1
) -> MLXArray {
    let lists = [stride, padding, dilation, outputPadding].map { [int32($0)] }
    return MLXArray.make {
        cmlx_conv_transpose(
            array.handle, weight.handle, lists[0], lists[1], lists[2], lists[3], 1, int32(groups), $0)
    }
}

/// Transposed convolution: `array` `[batch, height, width, channels]`, `weight` `[out, height, width, channels / groups]`.
public func convTransposed2d(
    _ array: MLXArray, _ weight: MLXArray, stride: IntOrPair = 1, padding: IntOrPair = 0, dilation: IntOrPair = 1,
    outputPadding: IntOrPair = 0, groups: Int = 1
) -> MLXArray {
    let lists = [stride, padding, dilation, outputPadding].map { int32([$0.first, $0.second]) }
    return MLXArray.make {
        cmlx_conv_transpose(
            array.handle, weight.handle, lists[0], lists[1], lists[2], lists[3], 2, int32(groups), $0)
    }
}
