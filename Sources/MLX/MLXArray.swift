// The array: a handle to a lazy n-dimensional value of the MLX library.
import CMLX

/// A lazy n-dimensional array. Operations record a graph; reading elements or ``eval()`` computes it.
///
/// A reference: assigning through a subscript changes what every holder of the reference sees.
///
/// Not `Sendable`: computing mutates the graph behind the handle. Keep arrays within one actor or task at a time.
public final class MLXArray {
    private(set) var handle: cmlx_array

    /// Takes ownership of `handle`.
    init(owning handle: cmlx_array) { self.handle = handle }

    deinit { cmlx_array_free(handle) }

    /// Runs a C operation that produces one array; an operation that fails on shapes or types is a programmer's error
    /// in the calling code, so it traps with MLX's message. Everything that depends on data from outside is checked
    /// before (shapes and types of weights) or goes through ``throwing(_:)``.
    static func make(_ body: (UnsafeMutablePointer<cmlx_array?>) -> Int32) -> MLXArray {
        MLXArray(owning: makeHandle(body))
    }

    static func makeHandle(_ body: (UnsafeMutablePointer<cmlx_array?>) -> Int32) -> cmlx_array {
        do { return try throwingHandle(body) } catch { trap("MLX: \(error)") }
    }

    static func throwing(_ body: (UnsafeMutablePointer<cmlx_array?>) -> Int32) throws(MLXError) -> MLXArray {
        MLXArray(owning: try throwingHandle(body))
    }

    static func throwingHandle(_ body: (UnsafeMutablePointer<cmlx_array?>) -> Int32) throws(MLXError) -> cmlx_array {
        var out: cmlx_array?
        guard body(&out) == 0, let out else { throw MLXError.last }
        return out
    }

    /// Another reference to the same value: assigning to parts of one leaves the other as it is.
    func copy() -> MLXArray { MLXArray.make { cmlx_array_retain(handle, $0) } }

    /// Lets this reference stand for the value of `other`, and lets go of its own: unless the value is held elsewhere,
    /// MLX may then compute an update of it in place.
    func become(_ other: MLXArray) {
        guard other !== self else { return }
        swap(&handle, &other.handle)
    }

    /// Number of axes.
    public var ndim: Int { cmlx_array_rank(handle) }
    /// Number of elements.
    public var size: Int { cmlx_array_size(handle) }
    /// Length of each axis.
    public var shape: [Int] { (0..<ndim).map { Int(cmlx_array_dimension(handle, $0)) } }
    /// Type of the elements.
    public var dtype: DType { DType(rawValue: cmlx_array_dtype(handle).rawValue) ?? .float32 }
    /// Bytes that one element takes.
    public var itemSize: Int { dtype.size }
    /// Bytes that the elements take.
    public var nbytes: Int { size * itemSize }
    /// Length of the first axis.
    public var count: Int { dim(0) }

    /// Length along `axis`; negative axes count from the end.
    public func dim(_ axis: Int) -> Int {
        require(axis >= -ndim && axis < ndim, "axis \(axis) of an array with shape \(shape)")
        return Int(cmlx_array_dimension(handle, axis < 0 ? ndim + axis : axis))
    }

    /// The shape of an array of two axes.
    public var shape2: (Int, Int) {
        require(ndim == 2, "shape2 of an array with shape \(shape)")
        return (dim(0), dim(1))
    }

    /// The shape of an array of three axes.
    public var shape3: (Int, Int, Int) {
        require(ndim == 3, "shape3 of an array with shape \(shape)")
        return (dim(0), dim(1), dim(2))
    }

    /// The shape of an array of four axes.
    public var shape4: (Int, Int, Int, Int) {
        require(ndim == 4, "shape4 of an array with shape \(shape)")
        return (dim(0), dim(1), dim(2), dim(3))
    }
}

/// A length, position or axis in the width that MLX takes.
func int32(_ value: Int) -> Int32 {
    guard let narrow = Int32(exactly: value) else { trap("MLX lengths are 32-bit; \(value) is not") }
    return narrow
}

/// Axes, shapes and the like in the width that MLX takes.
func int32(_ values: [Int]) -> [Int32] { values.map { int32($0) } }
