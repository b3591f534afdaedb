// Arithmetic, comparison and logic between arrays and numbers, element by element with broadcasting.
import CMLX

infix operator ** : PowerPrecedence
infix operator .&& : LogicalConjunctionPrecedence
infix operator .|| : LogicalDisjunctionPrecedence

/// Binds tighter than multiplication, to the right.
precedencegroup PowerPrecedence {
    associativity: right
    higherThan: MultiplicationPrecedence
}

extension MLXArray {
    func unary(_ op: cmlx_unary_op) -> MLXArray { MLXArray.make { cmlx_unary(op, handle, $0) } }

    static func binary(_ op: cmlx_binary_op, _ a: some ScalarOrArray, _ b: some ScalarOrArray) -> MLXArray {
        let (a, b) = operands(a, b)
        return withExtendedLifetime((a, b)) { make { cmlx_binary(op, a.handle, b.handle, $0) } }
    }
}

extension MLXArray {
    /// Sum.
    public static func + (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_ADD, a, b) }
    /// Sum.
    public static func + (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_ADD, a, b) }
    /// Sum.
    public static func + (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_ADD, a, b) }

    /// Difference.
    public static func - (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_SUBTRACT, a, b) }
    /// Difference.
    public static func - (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_SUBTRACT, a, b) }
    /// Difference.
    public static func - (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_SUBTRACT, a, b) }

    /// Product of elements.
    public static func * (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_MULTIPLY, a, b) }
    /// Product of elements.
    public static func * (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_MULTIPLY, a, b) }
    /// Product of elements.
    public static func * (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_MULTIPLY, a, b) }

    /// Quotient; integers give `float32`.
    public static func / (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_DIVIDE, a, b) }
    /// Quotient; integers give `float32`.
    public static func / (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_DIVIDE, a, b) }
    /// Quotient; integers give `float32`.
    public static func / (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_DIVIDE, a, b) }

    /// Remainder, with the sign of the divisor.
    public static func % (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_REMAINDER, a, b) }
    /// Remainder, with the sign of the divisor.
    public static func % (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_REMAINDER, a, b) }
    /// Remainder, with the sign of the divisor.
    public static func % (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_REMAINDER, a, b) }

    /// Power.
    public static func ** (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_POWER, a, b) }
    /// Power.
    public static func ** (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_POWER, a, b) }
    /// Power.
    public static func ** (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_POWER, a, b) }

    /// Whether elements are equal.
    public static func .== (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_EQUAL, a, b) }
    /// Whether elements are equal.
    public static func .== (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_EQUAL, a, b) }
    /// Whether elements are equal.
    public static func .== (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_EQUAL, a, b) }

    /// Whether elements differ.
    public static func .!= (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_NOT_EQUAL, a, b) }
    /// Whether elements differ.
    public static func .!= (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_NOT_EQUAL, a, b) }
    /// Whether elements differ.
    public static func .!= (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_NOT_EQUAL, a, b) }

    /// Whether elements are less.
    public static func .< (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_LESS, a, b) }
    /// Whether elements are less.
    public static func .< (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_LESS, a, b) }
    /// Whether elements are less.
    public static func .< (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_LESS, a, b) }

    /// Whether elements are less or equal.
    public static func .<= (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_LESS_EQUAL, a, b) }
    /// Whether elements are less or equal.
    public static func .<= (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_LESS_EQUAL, a, b) }
    /// Whether elements are less or equal.
    public static func .<= (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_LESS_EQUAL, a, b) }

    /// Whether elements are greater.
    public static func .> (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_GREATER, a, b) }
    /// Whether elements are greater.
    public static func .> (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_GREATER, a, b) }
    /// Whether elements are greater.
    public static func .> (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_GREATER, a, b) }

    /// Whether elements are greater or equal.
    public static func .>= (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_GREATER_EQUAL, a, b) }
    /// Whether elements are greater or equal.
    public static func .>= (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_GREATER_EQUAL, a, b) }
    /// Whether elements are greater or equal.
    public static func .>= (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_GREATER_EQUAL, a, b) }

    /// Whether both are true (not zero).
    public static func .&& (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_LOGICAL_AND, a, b) }
    /// Whether both are true (not zero).
    public static func .&& (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_LOGICAL_AND, a, b) }
    /// Whether both are true (not zero).
    public static func .&& (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_LOGICAL_AND, a, b) }

    /// Whether either is true (not zero).
    public static func .|| (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_LOGICAL_OR, a, b) }
    /// Whether either is true (not zero).
    public static func .|| (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_LOGICAL_OR, a, b) }
    /// Whether either is true (not zero).
    public static func .|| (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_LOGICAL_OR, a, b) }

    /// Bits set in both.
    public static func & (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_BITWISE_AND, a, b) }
    /// Bits set in both.
    public static func & (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_BITWISE_AND, a, b) }
    /// Bits set in both.
    public static func & (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_BITWISE_AND, a, b) }

    /// Bits set in either.
    public static func | (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_BITWISE_OR, a, b) }
    /// Bits set in either.
    public static func | (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_BITWISE_OR, a, b) }
    /// Bits set in either.
    public static func | (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_BITWISE_OR, a, b) }

    /// Bits set in one.
    public static func ^ (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_BITWISE_XOR, a, b) }
    /// Bits set in one.
    public static func ^ (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_BITWISE_XOR, a, b) }
    /// Bits set in one.
    public static func ^ (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_BITWISE_XOR, a, b) }

    /// Bits moved left.
    public static func << (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_LEFT_SHIFT, a, b) }
    /// Bits moved left.
    public static func << (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_LEFT_SHIFT, a, b) }
    /// Bits moved left.
    public static func << (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_LEFT_SHIFT, a, b) }

    /// Bits moved right.
    public static func >> (a: MLXArray, b: MLXArray) -> MLXArray { binary(CMLX_RIGHT_SHIFT, a, b) }
    /// Bits moved right.
    public static func >> (a: MLXArray, b: some ScalarOrArray) -> MLXArray { binary(CMLX_RIGHT_SHIFT, a, b) }
    /// Bits moved right.
    public static func >> (a: some ScalarOrArray, b: MLXArray) -> MLXArray { binary(CMLX_RIGHT_SHIFT, a, b) }

    /// Opposite.
    public static prefix func - (a: MLXArray) -> MLXArray { a.unary(CMLX_NEGATIVE) }
    /// Whether elements are false (zero).
    public static prefix func .! (a: MLXArray) -> MLXArray { a.unary(CMLX_LOGICAL_NOT) }
    /// Bits inverted.
    public static prefix func ~ (a: MLXArray) -> MLXArray { a.unary(CMLX_BITWISE_INVERT) }
}

extension MLXArray {
    /// Replaces the reference by the result; other holders of the old array keep it.
    public static func += (a: inout MLXArray, b: some ScalarOrArray) { a = a + b }
    /// Replaces the reference by the result; other holders of the old array keep it.
    public static func -= (a: inout MLXArray, b: some ScalarOrArray) { a = a - b }
    /// Replaces the reference by the result; other holders of the old array keep it.
    public static func *= (a: inout MLXArray, b: some ScalarOrArray) { a = a * b }
    /// Replaces the reference by the result; other holders of the old array keep it.
    public static func /= (a: inout MLXArray, b: some ScalarOrArray) { a = a / b }
}
