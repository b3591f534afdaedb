// Reading elements back into Swift, and changing their type.
import CMLX
import Foundation

extension MLXArray {
    /// The array with elements of `dtype`.
    public func asType(_ dtype: DType) -> MLXArray {
        dtype == self.dtype ? copy() : MLXArray.make { cmlx_astype(handle, dtype.c, $0) }
    }

    /// The array with elements of the type that stands for `T`.
    public func asType<T: HasDType>(_ type: T.Type) -> MLXArray { asType(T.dtype) }

    /// The same bytes read as elements of `dtype`; the last axis grows or shrinks accordingly.
    public func view(dtype: DType) -> MLXArray { MLXArray.make { cmlx_view(handle, dtype.c, $0) } }

    /// Computes the array and lends its elements, row-major in its own type, for the time of `body`.
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        if size == 0 { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        var data: UnsafeRawPointer?
        require(cmlx_array_data(handle, &data) == 0, "MLX: \(MLXError.last)")
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: data, count: nbytes))
    }

    /// Computes the array and copies its elements, row-major, converted to `T` where they are of another type.
    public func asArray<T: HasDType>(_ type: T.Type) -> [T] {
        let converted = dtype == T.dtype ? self : asType(T.dtype)
        return converted.withUnsafeBytes { bytes in
            [T](unsafeUninitializedCapacity: bytes.count / MemoryLayout<T>.stride) { buffer, count in
                UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
                count = bytes.count / MemoryLayout<T>.stride
            }
        }
    }

    /// Computes the array and copies its bytes: row-major elements of its own type.
    public func asData() -> Data { withUnsafeBytes { Data($0) } }

    /// The only element of an array of size 1, converted to `T`.
    public func item<T: HasDType>(_ type: T.Type = T.self) -> T {
        require(size == 1, "item of an array with shape \(shape)")
        return asArray(T.self)[0]
    }
}

extension MLXArray: CustomStringConvertible {
    /// Computes the array and shows shape, type and elements, those of long axes in part.
    public var description: String {
        var text: UnsafePointer<CChar>?
        guard cmlx_array_describe(handle, &text) == 0, let text else { return "array(\(MLXError.last))" }
        return String(cString: text)
    }
}
