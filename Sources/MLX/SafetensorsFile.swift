// Reading a safetensors file: mapped into memory, tensors used where they lie.
import CMLX
import Foundation

/// A safetensors file, open for reading.
///
/// The file is mapped, not read: opening a checkpoint of any size is immediate, and an array's bytes come from disk when
/// they are first used. The header is checked in full, so that no tensor can reach outside of the file. The file must
/// not be shortened while it, or an array from it, is in use.
///
/// Not `Sendable`, as arrays are not.
public final class SafetensorsFile {
    public let path: String
    /// All tensors by name.
    public let tensors: [String: SafetensorsInfo]
    /// Free text that the writer left.
    public let metadata: [String: String]

    private let mapping: FileMapping
    private let dataStart: Int
    /// Arrays already given out. MLX may reuse the memory of an array that nobody else holds, so each tensor is wrapped
    /// once and held here: its bytes stay what the file says for as long as the file is open.
    private var arrays: [String: MLXArray] = [:]

    /// - Parameter prefetch: asks the system to begin reading the whole file at once.
    /// - Throws: ``SafetensorsError``.
    public init(_ url: URL, prefetch: Bool = false) throws {
        path = url.path
        mapping = try FileMapping(path: path)
        let bytes = mapping.bytes
        guard bytes.count >= 8 else { throw SafetensorsError.truncated(path: path, expected: 8, actual: bytes.count) }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= SafetensorsHeader.lengthLimit else {
            let pointer = bytes.starts(with: "version https://git-lfs".utf8)
            throw SafetensorsError.malformed(
                path: path,
                reason: pointer ? "it is a git-lfs pointer; fetch the file itself (git lfs pull)"
                    : "it announces a header of \(length) bytes, more than \(SafetensorsHeader.lengthLimit)")
        }
        dataStart = 8 + Int(length)
        guard dataStart <= bytes.count else {
            throw SafetensorsError.truncated(path: path, expected: dataStart, actual: bytes.count)
        }
        do {
            let header = try SafetensorsHeader(Array(bytes[8..<dataStart]))
            let (expected, overflow) = dataStart.addingReportingOverflow(try header.checkLayout())
            if overflow || expected > bytes.count {
                throw SafetensorsError.truncated(path: path, expected: overflow ? .max : expected, actual: bytes.count)
            }
            guard expected == bytes.count else {
                throw SafetensorsHeader.Invalid(reason: "\(bytes.count - expected) bytes at its end belong to no tensor")
            }
            tensors = header.tensors
            metadata = header.metadata
        } catch let invalid as SafetensorsHeader.Invalid {
            throw SafetensorsError.malformed(path: path, reason: invalid.reason)
        }
        if prefetch { mapping.prefetch() }
    }

    /// Names in order.
    public var names: [String] { tensors.keys.sorted() }

    /// A tensor as an array that uses the mapped file (where the file places it out of alignment: a copy).
    /// - Throws: ``SafetensorsError`` if there is no such tensor or its type has no counterpart.
    public func array(named name: String) throws -> MLXArray {
        if let array = arrays[name] { return array }
        let info = try info(named: name)
        guard let dtype = info.dtype else {
            throw SafetensorsError.unsupportedType(tensor: name, type: info.typeName, path: path)
        }
        guard info.shape.allSatisfy({ $0 <= Int32.max }) else {
            throw SafetensorsError.tooLarge(tensor: name, shape: info.shape, path: path)
        }
        let array = try mapping.array(at: dataStart + info.byteRange.lowerBound, shape: info.shape, dtype: dtype)
        arrays[name] = array
        return array
    }

    /// Calls `body` with a tensor's bytes as they are in the file. The pointer is valid during the call only.
    public func withBytes<Result>(named name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let range = try info(named: name).byteRange
        return try withExtendedLifetime(self) {
            let place = (dataStart + range.lowerBound)..<(dataStart + range.upperBound)
            return try body(UnsafeRawBufferPointer(rebasing: mapping.bytes[place]))
        }
    }

    /// Lets go of the memory that reading a tensor has filled, once it has been copied or converted. Arrays of it stay
    /// valid: their bytes come from the file again.
    public func discard(named name: String) {
        guard let range = tensors[name]?.byteRange else { return }
        mapping.discard((dataStart + range.lowerBound)..<(dataStart + range.upperBound))
    }

    /// A copy of a tensor's bytes, for types that arrays lack.
    public func bytes(named name: String) throws -> [UInt8] { try withBytes(named: name) { Array($0) } }

    private func info(named name: String) throws -> SafetensorsInfo {
        guard let info = tensors[name] else { throw SafetensorsError.missingTensor(name: name, path: path) }
        return info
    }
}
