// Element types, and the Swift types that stand for them.
import CMLX

/// Element type of an ``MLXArray``.
public enum DType: UInt32, Sendable, CaseIterable {
    case bool = 0, uint8, uint16, uint32, uint64, int8, int16, int32, int64
    case float16, bfloat16, float32, float64, complex64

    /// Bytes one element takes.
    public var size: Int {
        switch self {
        case .bool, .uint8, .int8: 1
        case .uint16, .int16, .float16, .bfloat16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64, .complex64: 8
        }
    }

    /// Whether this is a real type with a fraction.
    public var isFloatingPoint: Bool { [.float16, .bfloat16, .float32, .float64].contains(self) }
    /// Whether this is a signed or unsigned integer; `bool` is none.
    public var isInteger: Bool { ![.bool, .complex64].contains(self) && !isFloatingPoint }

    var c: cmlx_dtype { cmlx_dtype(rawValue: rawValue) }
}

/// A Swift type with the memory layout of an element type.
public protocol HasDType: BitwiseCopyable, Sendable {
    /// The element type of arrays of `Self`.
    static var dtype: DType { get }
}

/// What can stand beside an array in an operation: an array or a number.
///
/// A number takes the array's type where that can hold it, so that `2.5 * x` of a `bfloat16` array stays `bfloat16`;
/// a fraction beside integers makes `float32`.
public protocol ScalarOrArray {
    /// The type that this imposes on numbers beside it; nil for numbers.
    var imposedDType: DType? { get }
    /// Self as an array; numbers take `dtype` where it can hold them.
    func asMLXArray(dtype: DType?) -> MLXArray
}

extension MLXArray: ScalarOrArray {
    public var imposedDType: DType? { dtype }
    public func asMLXArray(dtype: DType?) -> MLXArray { self }
}

extension ScalarOrArray where Self: HasDType {
    public var imposedDType: DType? { nil }
}

extension ScalarOrArray where Self: BinaryInteger {
    public func asMLXArray(dtype: DType?) -> MLXArray {
        let type = dtype.flatMap { $0 == .bool ? nil : $0 } ?? .int32
        return MLXArray.make { cmlx_scalar_integer(Int64(truncatingIfNeeded: self), type.c, $0) }
    }
}

extension ScalarOrArray where Self: BinaryFloatingPoint {
    public func asMLXArray(dtype: DType?) -> MLXArray {
        let type = dtype.flatMap { $0.isInteger || $0 == .bool ? nil : $0 } ?? .float32
        return MLXArray.make { cmlx_scalar(Double(self), type.c, $0) }
    }
}

extension Bool: HasDType, ScalarOrArray {
    public static var dtype: DType { .bool }
    public func asMLXArray(dtype: DType?) -> MLXArray {
        MLXArray.make { cmlx_scalar_integer(self ? 1 : 0, DType.bool.c, $0) }
    }
}
extension Int8: HasDType, ScalarOrArray { public static var dtype: DType { .int8 } }
extension Int16: HasDType, ScalarOrArray { public static var dtype: DType { .int16 } }
extension Int32: HasDType, ScalarOrArray { public static var dtype: DType { .int32 } }
extension Int64: HasDType, ScalarOrArray { public static var dtype: DType { .int64 } }
extension Int: HasDType, ScalarOrArray { public static var dtype: DType { .int64 } }
extension UInt8: HasDType, ScalarOrArray { public static var dtype: DType { .uint8 } }
extension UInt16: HasDType, ScalarOrArray { public static var dtype: DType { .uint16 } }
extension UInt32: HasDType, ScalarOrArray { public static var dtype: DType { .uint32 } }
extension UInt64: HasDType, ScalarOrArray { public static var dtype: DType { .uint64 } }
extension Float: HasDType, ScalarOrArray { public static var dtype: DType { .float32 } }
extension Double: HasDType, ScalarOrArray { public static var dtype: DType { .float64 } }
#if !(os(macOS) && arch(x86_64))
    extension Float16: HasDType, ScalarOrArray { public static var dtype: DType { .float16 } }
#endif

/// Both operands as arrays, numbers in the type of the other.
func operands(_ a: some ScalarOrArray, _ b: some ScalarOrArray) -> (MLXArray, MLXArray) {
    (a.asMLXArray(dtype: b.imposedDType), b.asMLXArray(dtype: a.imposedDType))
}
