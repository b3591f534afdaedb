// Functions of single elements, and of pairs of them with broadcasting.
import CMLX

/// Absolute value.
public func abs(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ABS) }
/// Sign: -1, 0 or 1.
public func sign(_ array: MLXArray) -> MLXArray { array.unary(CMLX_SIGN) }
/// 1 / x.
public func reciprocal(_ array: MLXArray) -> MLXArray { array.unary(CMLX_RECIPROCAL) }
/// x x.
public func square(_ array: MLXArray) -> MLXArray { array.unary(CMLX_SQUARE) }
/// Square root.
public func sqrt(_ array: MLXArray) -> MLXArray { array.unary(CMLX_SQRT) }
/// 1 / square root.
public func rsqrt(_ array: MLXArray) -> MLXArray { array.unary(CMLX_RSQRT) }
/// e to the power of x.
public func exp(_ array: MLXArray) -> MLXArray { array.unary(CMLX_EXP) }
/// exp(x) - 1, exact for small x.
public func expm1(_ array: MLXArray) -> MLXArray { array.unary(CMLX_EXPM1) }
/// Natural logarithm.
public func log(_ array: MLXArray) -> MLXArray { array.unary(CMLX_LOG) }
/// Logarithm to base 2.
public func log2(_ array: MLXArray) -> MLXArray { array.unary(CMLX_LOG2) }
/// Logarithm to base 10.
public func log10(_ array: MLXArray) -> MLXArray { array.unary(CMLX_LOG10) }
/// log(1 + x), exact for small x.
public func log1p(_ array: MLXArray) -> MLXArray { array.unary(CMLX_LOG1P) }
/// Sine.
public func sin(_ array: MLXArray) -> MLXArray { array.unary(CMLX_SIN) }
/// Cosine.
public func cos(_ array: MLXArray) -> MLXArray { array.unary(CMLX_COS) }
/// Tangent.
public func tan(_ array: MLXArray) -> MLXArray { array.unary(CMLX_TAN) }
/// Inverse sine.
public func asin(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ARCSIN) }
/// Inverse cosine.
public func acos(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ARCCOS) }
/// Inverse tangent.
public func atan(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ARCTAN) }
/// Hyperbolic sine.
public func sinh(_ array: MLXArray) -> MLXArray { array.unary(CMLX_SINH) }
/// Hyperbolic cosine.
public func cosh(_ array: MLXArray) -> MLXArray { array.unary(CMLX_COSH) }
/// Hyperbolic tangent.
public func tanh(_ array: MLXArray) -> MLXArray { array.unary(CMLX_TANH) }
/// 1 / (1 + exp(-x)).
public func sigmoid(_ array: MLXArray) -> MLXArray { array.unary(CMLX_SIGMOID) }
/// Error function.
public func erf(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ERF) }
/// Inverse of the error function.
public func erfInverse(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ERFINV) }
/// Largest integer not above.
public func floor(_ array: MLXArray) -> MLXArray { array.unary(CMLX_FLOOR) }
/// Smallest integer not below.
public func ceil(_ array: MLXArray) -> MLXArray { array.unary(CMLX_CEIL) }
/// Whether elements are no numbers.
public func isNaN(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ISNAN) }
/// Whether elements are infinite.
public func isInf(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ISINF) }
/// Whether elements are neither infinite nor NaN.
public func isFinite(_ array: MLXArray) -> MLXArray { array.unary(CMLX_ISFINITE) }
/// Opposite.
public func negative(_ array: MLXArray) -> MLXArray { array.unary(CMLX_NEGATIVE) }
/// Whether elements are false (zero).
public func logicalNot(_ array: MLXArray) -> MLXArray { array.unary(CMLX_LOGICAL_NOT) }
/// Complex conjugate.
public func conjugate(_ array: MLXArray) -> MLXArray { array.unary(CMLX_CONJUGATE) }

/// a + b.
public func add(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray { MLXArray.binary(CMLX_ADD, a, b) }
/// a - b.
public func subtract(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_SUBTRACT, a, b)
}
/// a b.
public func multiply(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_MULTIPLY, a, b)
}
/// a / b.
public func divide(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray { MLXArray.binary(CMLX_DIVIDE, a, b) }
/// a / b rounded down.
public func floorDivide(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_FLOOR_DIVIDE, a, b)
}
/// Remainder of a / b, with the sign of b.
public func remainder(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_REMAINDER, a, b)
}
/// a to the power of b.
public func pow(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray { MLXArray.binary(CMLX_POWER, a, b) }
/// The larger of two; NaN where either is.
public func maximum(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_MAXIMUM, a, b)
}
/// The smaller of two; NaN where either is.
public func minimum(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_MINIMUM, a, b)
}
/// log(exp(a) + exp(b)).
public func logAddExp(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_LOGADDEXP, a, b)
}
/// Angle of the point (b, a).
public func atan2(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray { MLXArray.binary(CMLX_ARCTAN2, a, b) }
/// Whether both are true (not zero).
public func logicalAnd(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_LOGICAL_AND, a, b)
}
/// Whether either is true (not zero).
public func logicalOr(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    MLXArray.binary(CMLX_LOGICAL_OR, a, b)
}

/// Rounds to `decimals` places; halves go to the even neighbour.
public func round(_ array: MLXArray, decimals: Int = 0) -> MLXArray {
    MLXArray.make { cmlx_round(array.handle, int32(decimals), $0) }
}

/// Elements below `min` become `min`, those above `max` become `max`.
public func clip(_ array: MLXArray, min: some ScalarOrArray, max: some ScalarOrArray) -> MLXArray {
    let low = min.asMLXArray(dtype: array.dtype)
    let high = max.asMLXArray(dtype: array.dtype)
    return withExtendedLifetime((low, high)) { MLXArray.make { cmlx_clip(array.handle, low.handle, high.handle, $0) } }
}

/// Elements below `min` become `min`.
public func clip(_ array: MLXArray, min: some ScalarOrArray) -> MLXArray {
    let low = min.asMLXArray(dtype: array.dtype)
    return withExtendedLifetime(low) { MLXArray.make { cmlx_clip(array.handle, low.handle, nil, $0) } }
}

/// Elements above `max` become `max`.
public func clip(_ array: MLXArray, max: some ScalarOrArray) -> MLXArray {
    let high = max.asMLXArray(dtype: array.dtype)
    return withExtendedLifetime(high) { MLXArray.make { cmlx_clip(array.handle, nil, high.handle, $0) } }
}

/// Elements of `a` where `condition` is true, else those of `b`; the three broadcast.
public func which(_ condition: MLXArray, _ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
    let (a, b) = operands(a, b)
    return withExtendedLifetime((a, b)) {
        MLXArray.make { cmlx_where(condition.handle, a.handle, b.handle, $0) }
    }
}

/// Replaces NaN and infinities by numbers.
public func nanToNum(
    _ array: MLXArray, nan: Float = 0, posInf: Float = .greatestFiniteMagnitude,
    negInf: Float = -.greatestFiniteMagnitude
) -> MLXArray {
    MLXArray.make { cmlx_nan_to_num(array.handle, nan, posInf, negInf, $0) }
}

/// Whether elements agree within `atol + rtol |b|`.
public func isClose(
    _ a: MLXArray, _ b: MLXArray, rtol: Double = 1e-5, atol: Double = 1e-8, equalNaN: Bool = false
) -> MLXArray {
    MLXArray.make { cmlx_is_close(a.handle, b.handle, rtol, atol, equalNaN, $0) }
}

/// A `bool` scalar: whether all elements agree within `atol + rtol |b|`.
public func allClose(
    _ a: MLXArray, _ b: MLXArray, rtol: Double = 1e-5, atol: Double = 1e-8, equalNaN: Bool = false
) -> MLXArray {
    isClose(a, b, rtol: rtol, atol: atol, equalNaN: equalNaN).all()
}

/// A `bool` scalar: whether shapes and all elements are equal.
public func arrayEqual(_ a: MLXArray, _ b: MLXArray, equalNaN: Bool = false) -> MLXArray {
    MLXArray.make { cmlx_array_equal(a.handle, b.handle, equalNaN, $0) }
}

extension MLXArray {
    /// Absolute value.
    public func abs() -> MLXArray { unary(CMLX_ABS) }
    /// 1 / x.
    public func reciprocal() -> MLXArray { unary(CMLX_RECIPROCAL) }
    /// x x.
    public func square() -> MLXArray { unary(CMLX_SQUARE) }
    /// Square root.
    public func sqrt() -> MLXArray { unary(CMLX_SQRT) }
    /// 1 / square root.
    public func rsqrt() -> MLXArray { unary(CMLX_RSQRT) }
    /// e to the power of x.
    public func exp() -> MLXArray { unary(CMLX_EXP) }
    /// Natural logarithm.
    public func log() -> MLXArray { unary(CMLX_LOG) }
    /// Logarithm to base 2.
    public func log2() -> MLXArray { unary(CMLX_LOG2) }
    /// Logarithm to base 10.
    public func log10() -> MLXArray { unary(CMLX_LOG10) }
    /// log(1 + x), exact for small x.
    public func log1p() -> MLXArray { unary(CMLX_LOG1P) }
    /// Sine.
    public func sin() -> MLXArray { unary(CMLX_SIN) }
    /// Cosine.
    public func cos() -> MLXArray { unary(CMLX_COS) }
    /// Largest integer not above.
    public func floor() -> MLXArray { unary(CMLX_FLOOR) }
    /// Smallest integer not below.
    public func ceil() -> MLXArray { unary(CMLX_CEIL) }
    /// Rounds to `decimals` places; halves go to the even neighbour.
    public func round(decimals: Int = 0) -> MLXArray { MLX.round(self, decimals: decimals) }
    /// Self to the power of `other`.
    public func pow(_ other: some ScalarOrArray) -> MLXArray { MLXArray.binary(CMLX_POWER, self, other) }
    /// Self / `other` rounded down.
    public func floorDivide(_ other: some ScalarOrArray) -> MLXArray { MLXArray.binary(CMLX_FLOOR_DIVIDE, self, other) }
    /// The real part of a complex array.
    public func realPart() -> MLXArray { unary(CMLX_REAL) }
    /// The imaginary part of a complex array.
    public func imaginaryPart() -> MLXArray { unary(CMLX_IMAG) }
    /// A `bool` scalar: whether all elements agree with those of `other` within `atol + rtol |other|`.
    public func allClose(_ other: MLXArray, rtol: Double = 1e-5, atol: Double = 1e-8, equalNaN: Bool = false)
        -> MLXArray
    {
        MLX.allClose(self, other, rtol: rtol, atol: atol, equalNaN: equalNaN)
    }
}
