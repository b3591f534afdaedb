// The array: a lazy n-dimensional value of the MLX library, and the way data gets in and out of it.
import CMLX

/// Why an operation of the array library failed.
public struct MLXError: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }
}

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

    public var isFloatingPoint: Bool { [.float16, .bfloat16, .float32, .float64].contains(self) }
    var c: cmlx_dtype { cmlx_dtype(rawValue: rawValue) }
}

/// A lazy n-dimensional array. Operations record a graph; reading elements or ``eval()`` computes it.
///
/// Not `Sendable`: computing mutates the graph behind the handle. Keep arrays within one actor or task.
public final class MLXArray {
    let handle: cmlx_array

    /// Takes ownership of `handle`.
    init(owning handle: cmlx_array) { self.handle = handle }

    deinit { cmlx_array_free(handle) }

    /// Runs a C operation that produces one array; an operation that fails on shapes or types is a programmer's error
    /// in the calling code, so it traps with MLX's message. Everything that depends on data from outside is checked
    /// before (shapes and types of weights) or goes through ``throwing(_:)``.
    static func make(_ body: (UnsafeMutablePointer<cmlx_array?>) -> Int32) -> MLXArray {
        do { return try throwing(body) } catch { preconditionFailure("MLX: \(error)") }
    }

    static func throwing(_ body: (UnsafeMutablePointer<cmlx_array?>) -> Int32) throws -> MLXArray {
        var out: cmlx_array?
        guard body(&out) == 0, let out else { throw MLXError(String(cString: cmlx_last_error())) }
        return MLXArray(owning: out)
    }

    public var ndim: Int { cmlx_array_rank(handle) }
    public var size: Int { cmlx_array_size(handle) }
    public var shape: [Int] { (0..<ndim).map { Int(cmlx_array_dimension(handle, $0)) } }
    public var dtype: DType { DType(rawValue: cmlx_array_dtype(handle).rawValue) ?? .float32 }
    public var nbytes: Int { size * dtype.size }

    /// Length along `axis`; negative axes count from the end.
    public func dim(_ axis: Int) -> Int { Int(cmlx_array_dimension(handle, axis < 0 ? ndim + axis : axis)) }
}
