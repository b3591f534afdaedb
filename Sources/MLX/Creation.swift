// Arrays from Swift values, from memory, and from a rule.
import CMLX
import Foundation

extension MLXArray {
    private static func copying(_ bytes: UnsafeRawBufferPointer, _ shape: [Int], _ dtype: DType) throws(MLXError)
        -> cmlx_array
    {
        guard shape.allSatisfy({ $0 >= 0 }), bytes.count == shape.reduce(dtype.size, *) else {
            throw MLXError("\(bytes.count) bytes cannot be an array of shape \(shape) and type \(dtype)")
        }
        let dimensions = int32(shape)
        return try throwingHandle {
            cmlx_array_from_data(bytes.baseAddress, dimensions, dimensions.count, dtype.c, $0)
        }
    }

    /// Copies `bytes` (row-major elements of `dtype`). Throws where their count does not fit the shape.
    public convenience init(bytes: UnsafeRawBufferPointer, _ shape: [Int], dtype: DType) throws(MLXError) {
        self.init(owning: try Self.copying(bytes, shape, dtype))
    }

    /// Copies row-major elements of `dtype`. Throws where the count of bytes does not fit the shape.
    public convenience init(_ data: Data, _ shape: [Int], dtype: DType) throws(MLXError) {
        let handle: Result<cmlx_array, MLXError> = data.withUnsafeBytes { bytes in
            Result { () throws(MLXError) in try Self.copying(bytes, shape, dtype) }
        }
        self.init(owning: try handle.get())
    }

    private static func copying<T: HasDType>(_ values: [T], _ shape: [Int]?) -> cmlx_array {
        let dimensions = shape ?? [values.count]
        require(
            dimensions.reduce(1, *) == values.count, "\(values.count) values cannot be an array of shape \(dimensions)")
        let narrow = int32(dimensions)
        return values.withUnsafeBytes { bytes in
            makeHandle { cmlx_array_from_data(bytes.baseAddress, narrow, narrow.count, T.dtype.c, $0) }
        }
    }

    /// An array of `values` in row-major order; without a shape, of one axis.
    public convenience init<T: HasDType>(_ values: [T], _ shape: [Int]? = nil) {
        self.init(owning: Self.copying(values, shape))
    }

    /// An `int32` array of `values`, each of which must fit.
    public convenience init(_ values: [Int], _ shape: [Int]? = nil) {
        self.init(owning: Self.copying(int32(values), shape))
    }

    /// A `float32` array of `values`. For `float64` convert with `MLXArray(float64:)`.
    public convenience init(_ values: [Double], _ shape: [Int]? = nil) {
        self.init(owning: Self.copying(values.map { Float($0) }, shape))
    }

    /// A `float32` array of `values`.
    public convenience init(converting values: [Double], _ shape: [Int]? = nil) { self.init(values, shape) }

    /// An `int64` array of `values`.
    public convenience init(int64 values: [Int], _ shape: [Int]? = nil) {
        self.init(owning: Self.copying(values, shape))
    }

    /// A `float64` array of `values`.
    public convenience init(float64 values: [Double], _ shape: [Int]? = nil) {
        self.init(owning: Self.copying(values, shape))
    }

    /// An array of the numbers in `values`, row-major: `int32` for `Int`, else their own type.
    public convenience init(_ values: Range<Int>) { self.init(Array(values)) }

    /// A scalar: `int32` for integers, `float32` for fractions, `bool` for truth values, or of type `dtype`.
    public convenience init<T: HasDType & ScalarOrArray>(_ value: T, dtype: DType? = nil) {
        let own: DType = T.self == Int.self ? .int32 : T.self == Double.self ? .float32 : T.dtype
        let scalar = value.asMLXArray(dtype: dtype ?? own)
        self.init(owning: Self.makeHandle { cmlx_astype(scalar.handle, (dtype ?? own).c, $0) })
    }

    /// Uses memory in place, without a copy (on a GPU build MLX copies).
    ///
    /// The memory must be writable, aligned to its element size, and have 8 readable bytes before it; it must stay as it
    /// is until `release` is called, once, when the last user of the array is gone. That may be on any thread, also one
    /// of MLX's own, so `release` must not use arrays.
    public convenience init(
        wrapping pointer: UnsafeMutableRawPointer, _ shape: [Int], dtype: DType, release: @escaping () -> Void
    ) {
        let dimensions = int32(shape)
        let context = Unmanaged.passRetained(ReleaseBox(release)).toOpaque()
        self.init(
            owning: Self.makeHandle {
                cmlx_array_wrap(
                    pointer, dimensions, dimensions.count, dtype.c,
                    { context in
                        guard let context else { return }
                        Unmanaged<ReleaseBox>.fromOpaque(context).takeRetainedValue().release()
                    }, context, $0)
            })
    }
}

private final class ReleaseBox {
    let release: () -> Void
    init(_ release: @escaping () -> Void) { self.release = release }
}

extension MLXArray {
    /// Zeros.
    public static func zeros(_ shape: [Int], dtype: DType = .float32) -> MLXArray {
        full(shape, values: 0, dtype: dtype)
    }
    /// Zeros of the type `T`.
    public static func zeros<T: HasDType>(_ shape: [Int], type: T.Type) -> MLXArray { zeros(shape, dtype: T.dtype) }
    /// Zeros of the shape and type of `other`.
    public static func zeros(like other: MLXArray) -> MLXArray { other.unary(CMLX_ZEROS_LIKE) }
    /// Ones.
    public static func ones(_ shape: [Int], dtype: DType = .float32) -> MLXArray {
        full(shape, values: 1, dtype: dtype)
    }
    /// Ones of the type `T`.
    public static func ones<T: HasDType>(_ shape: [Int], type: T.Type) -> MLXArray { ones(shape, dtype: T.dtype) }
    /// Ones of the shape and type of `other`.
    public static func ones(like other: MLXArray) -> MLXArray { other.unary(CMLX_ONES_LIKE) }

    /// An array of `shape` filled with `values` (a number, or an array that broadcasts to `shape`).
    public static func full(_ shape: [Int], values: some ScalarOrArray, dtype: DType? = nil) -> MLXArray {
        let dimensions = int32(shape)
        let value = values.asMLXArray(dtype: dtype)
        let type = dtype ?? value.dtype
        return make { cmlx_full(dimensions, dimensions.count, value.handle, type.c, $0) }
    }

    /// The numbers from `start` up to but without `stop`: `int32`, unless `dtype` says otherwise.
    public static func arange(_ start: Int, _ stop: Int, step: Int = 1, dtype: DType = .int32) -> MLXArray {
        make { cmlx_arange(Double(start), Double(stop), Double(step), dtype.c, $0) }
    }

    /// The numbers 0 ..< `stop`.
    public static func arange(_ stop: Int, dtype: DType = .int32) -> MLXArray { arange(0, stop, dtype: dtype) }

    /// The numbers from `start` up to but without `stop`.
    public static func arange(_ start: Double, _ stop: Double, step: Double = 1, dtype: DType = .float32) -> MLXArray {
        make { cmlx_arange(start, stop, step, dtype.c, $0) }
    }

    /// `count` numbers from `start` to `stop`, both included.
    public static func linspace(_ start: Double, _ stop: Double, count: Int = 50, dtype: DType = .float32) -> MLXArray {
        make { cmlx_linspace(start, stop, int32(count), dtype.c, $0) }
    }

    /// Ones on the `k`-th diagonal of an `n` by `m` matrix.
    public static func eye(_ n: Int, m: Int? = nil, k: Int = 0, dtype: DType = .float32) -> MLXArray {
        make { cmlx_eye(int32(n), int32(m ?? n), int32(k), dtype.c, $0) }
    }

    /// The identity matrix.
    public static func identity(_ n: Int, dtype: DType = .float32) -> MLXArray { eye(n, dtype: dtype) }
}

/// Zeros.
public func zeros(_ shape: [Int], dtype: DType = .float32) -> MLXArray { MLXArray.zeros(shape, dtype: dtype) }
/// Zeros of the shape and type of `other`.
public func zeros(like other: MLXArray) -> MLXArray { MLXArray.zeros(like: other) }
/// Ones.
public func ones(_ shape: [Int], dtype: DType = .float32) -> MLXArray { MLXArray.ones(shape, dtype: dtype) }
/// Ones of the shape and type of `other`.
public func ones(like other: MLXArray) -> MLXArray { MLXArray.ones(like: other) }
/// An array of `shape` filled with `values` (a number, or an array that broadcasts to `shape`).
public func full(_ shape: [Int], values: some ScalarOrArray, dtype: DType? = nil) -> MLXArray {
    MLXArray.full(shape, values: values, dtype: dtype)
}
/// The numbers from `start` up to but without `stop`: `int32`, unless `dtype` says otherwise.
public func arange(_ start: Int, _ stop: Int, step: Int = 1, dtype: DType = .int32) -> MLXArray {
    MLXArray.arange(start, stop, step: step, dtype: dtype)
}
/// The numbers 0 ..< `stop`.
public func arange(_ stop: Int, dtype: DType = .int32) -> MLXArray { MLXArray.arange(stop, dtype: dtype) }
/// `count` numbers from `start` to `stop`, both included.
public func linspace(_ start: Double, _ stop: Double, count: Int = 50, dtype: DType = .float32) -> MLXArray {
    MLXArray.linspace(start, stop, count: count, dtype: dtype)
}
/// Ones on the `k`-th diagonal of an `n` by `m` matrix.
public func eye(_ n: Int, m: Int? = nil, k: Int = 0, dtype: DType = .float32) -> MLXArray {
    MLXArray.eye(n, m: m, k: k, dtype: dtype)
}
