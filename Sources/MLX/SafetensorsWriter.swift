// Writing a safetensors file: header first, then one tensor after another.
import CMLX
import Foundation

/// Writes safetensors files.
///
/// The file appears under its name only when it is complete (it is written beside it and renamed). Equal contents give
/// equal files, the same that the reference library writes: tensors are ordered by type, larger elements first, then by
/// name, so that all are aligned.
public enum SafetensorsWriter {
    /// What the header needs to know of a tensor before its data is there.
    public struct Entry: Sendable {
        public var name: String
        public var dtype: DType
        public var shape: [Int]

        public init(name: String, dtype: DType, shape: [Int]) {
            self.name = name
            self.dtype = dtype
            self.shape = shape
        }
    }

    /// Saves arrays, computing them one at a time.
    /// - Throws: ``SafetensorsError``, or ``MLXError`` from computing an array.
    public static func save(_ arrays: [String: MLXArray], metadata: [String: String] = [:], to url: URL) throws {
        let entries = arrays.map { Entry(name: $0.key, dtype: $0.value.dtype, shape: $0.value.shape) }
        try save(entries, metadata: metadata, to: url) { name in
            guard let array = arrays[name] else { throw SafetensorsError.missingTensor(name: name, path: url.path) }
            return array
        }
    }

    /// Saves tensors that `array` hands over one at a time, so that only one needs to be in memory.
    /// - Parameters:
    ///   - keepsOrder: writes tensors in the order given, where what belongs together is computed together.
    ///   - array: called once for each entry, in the order of the file; must return an array of the type and shape that the
    ///     entry says.
    public static func save(
        _ entries: [Entry], metadata: [String: String] = [:], to url: URL, keepsOrder: Bool = false,
        array: (String) throws -> MLXArray
    ) throws {
        let ordered = keepsOrder ? entries : entries.sorted {
            let ranks = ($0.dtype.safetensorsRank, $1.dtype.safetensorsRank)
            return ranks.0 != ranks.1 ? ranks.0 > ranks.1 : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        let header = try header(ordered, metadata, url)
        let temporary = url.deletingLastPathComponent()
            .appendingPathComponent(".\(url.lastPathComponent).\(UUID().uuidString).partial")
        let output = try OutputFile(temporary.path)
        do {
            try output.write(header)
            for entry in ordered {
                let value = try array(entry.name)
                guard value.dtype == entry.dtype, value.shape == entry.shape else {
                    throw SafetensorsError.unwritable(
                        path: url.path,
                        reason: "\"\(entry.name)\" was announced as \(entry.dtype) \(entry.shape) "
                            + "but is \(value.dtype) \(value.shape)")
                }
                try output.write(value)
            }
            try output.finish(as: url.path)
        } catch {
            output.abandon()
            throw error
        }
    }

    /// Length and JSON, padded with spaces to a multiple of 8 bytes.
    private static func header(_ entries: [Entry], _ metadata: [String: String], _ url: URL) throws -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var names: Set<String> = ["__metadata__"]
        var offset = 0
        for entry in entries {
            guard names.insert(entry.name).inserted else {
                throw SafetensorsError.unwritable(path: url.path, reason: "\"\(entry.name)\" is there twice or reserved")
            }
            let end = offset + entry.shape.reduce(entry.dtype.size, *)
            let shape = entry.shape.map(String.init).joined(separator: ",")
            let type = entry.dtype.safetensorsName
            members.append("\(quoted(entry.name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        while json.count % 8 != 0 { json.append(UInt8(ascii: " ")) }
        guard json.count <= SafetensorsHeader.lengthLimit else {
            throw SafetensorsError.unwritable(path: url.path, reason: "the header would take \(json.count) bytes")
        }
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{0}"..<"\u{20}": result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// A file being written under a temporary name.
private final class OutputFile {
    private let path: String
    private var descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw error() }
    }

    private func error() -> SafetensorsError { .unwritable(path: path, reason: String(cString: strerror(errno))) }

    func write(_ array: MLXArray) throws {
        // A handle of our own: bringing the array into row order must not change the caller's.
        let copy = try MLXArray.throwing { cmlx_array_retain(array.handle, $0) }
        var data: UnsafeRawPointer?
        guard cmlx_array_data(copy.handle, &data) == 0 else { throw MLXError(String(cString: cmlx_last_error())) }
        try withExtendedLifetime(copy) { try write(UnsafeRawBufferPointer(start: data, count: array.nbytes)) }
    }

    func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let written = Foundation.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
            if written < 0 {
                if errno == EINTR { continue }
                throw error()
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    func finish(as name: String) throws {
        guard fsync(descriptor) == 0, rename(path, name) == 0 else { throw error() }
        close(descriptor)
        descriptor = -1
    }

    func abandon() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        unlink(path)
    }
}
