// Builds PyTorch files, honest and not, for the tests of the reader.
import Foundation
import MLX

@testable import LyraModel

/// Assembles a pickle operation by operation.
struct PickleBuilder {
    var data = Data([0x80, 2])

    func op(_ bytes: String) -> PickleBuilder { adding(Data(bytes.unicodeScalars.map { UInt8($0.value) })) }
    func adding(_ more: Data) -> PickleBuilder { var copy = self; copy.data += more; return copy }
    func text(_ text: String) -> PickleBuilder {
        adding(Data([0x58]) + withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { Data($0) } + Data(text.utf8))
    }
    func int(_ value: Int) -> PickleBuilder {
        adding(Data([0x8A, 8]) + withUnsafeBytes(of: Int64(value).littleEndian) { Data($0) })
    }
    func ints(_ values: [Int]) -> PickleBuilder { values.reduce(op("(")) { $0.int($1) }.op("t") }
    func global(_ module: String, _ name: String) -> PickleBuilder { op("c\(module)\n\(name)\n") }

    func tensor(
        storage: String = "FloatStorage", key: String = "0", count: Int, offset: Int = 0, shape: [Int], strides: [Int]
    ) -> PickleBuilder {
        global("torch._utils", "_rebuild_tensor_v2").op("((").text("storage").global("torch", storage).text(key)
            .text("cpu").int(count).op("tQ").int(offset).ints(shape).ints(strides)
            .op("\u{89}").global("collections", "OrderedDict").op(")RtR")
    }

    /// A dictionary with one tensor under "x".
    static func one(
        storage: String = "FloatStorage", count: Int, offset: Int = 0, shape: [Int], strides: [Int]
    ) -> Data {
        PickleBuilder().op("}").text("x").tensor(storage: storage, count: count, offset: offset, shape: shape, strides: strides)
            .op("s.").data
    }
}

/// Assembles a zip file.
struct ZipBuilder {
    var method: UInt16 = 0
    var wide = false
    /// Changes each directory entry before it is written.
    var change: (inout Data) -> Void = { _ in }

    func archive(pickle: Data, storages: [Data] = [], byteOrder: String = "little") -> Data {
        zip([("a/data.pkl", pickle), ("a/byteorder", Data(byteOrder.utf8))] + storages.enumerated().map { ("a/data/\($0)", $1) })
    }

    func zip(_ files: [(String, Data)]) -> Data {
        func le<T: FixedWidthInteger>(_ value: T) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
        var out = Data()
        var directory = Data()
        for (name, data) in files {
            let checksum = data.withUnsafeBytes { CRC32.checksum($0) }
            let place = out.count
            let size = UInt32(data.count)
            out += le(UInt32(0x0403_4B50)) + le(UInt16(20)) + le(UInt16(0)) + le(method) + le(UInt32(0)) + le(checksum)
            out += le(size) + le(size) + le(UInt16(name.utf8.count)) + le(UInt16(0)) + Data(name.utf8) + data
            var entry = le(UInt32(0x0201_4B50)) + le(UInt16(20)) + le(UInt16(20)) + le(UInt16(0)) + le(method) + le(UInt32(0)) + le(checksum)
            entry += le(wide ? .max : size) + le(wide ? .max : size) + le(UInt16(name.utf8.count)) + le(UInt16(wide ? 28 : 0))
            entry += le(UInt16(0)) + le(UInt16(0)) + le(UInt16(0)) + le(UInt32(0)) + le(wide ? .max : UInt32(place)) + Data(name.utf8)
            if wide { entry += le(UInt16(1)) + le(UInt16(24)) + le(UInt64(size)) + le(UInt64(size)) + le(UInt64(place)) }
            change(&entry)
            directory += entry
        }
        let start = out.count
        out += directory
        if wide {
            let end = out.count
            out += le(UInt32(0x0606_4B50)) + le(UInt64(44)) + le(UInt16(45)) + le(UInt16(45)) + le(UInt32(0)) + le(UInt32(0))
            out += le(UInt64(files.count)) + le(UInt64(files.count)) + le(UInt64(directory.count)) + le(UInt64(start))
            out += le(UInt32(0x0706_4B50)) + le(UInt32(0)) + le(UInt64(end)) + le(UInt32(1))
        }
        let count = wide ? UInt16.max : UInt16(files.count)
        out += le(UInt32(0x0605_4B50)) + le(UInt16(0)) + le(UInt16(0)) + le(count) + le(count)
        return out + le(wide ? .max : UInt32(directory.count)) + le(wide ? .max : UInt32(start)) + le(UInt16(0))
    }
}

/// A file that goes away with its last user.
final class TorchArchiveScratch {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-torch-\(UUID().uuidString)")
    init(_ data: Data) throws { try data.write(to: url) }
    deinit { try? FileManager.default.removeItem(at: url) }

    /// Opens the file and reads all its tensors; what went wrong, or "no error".
    func message(verifyChecksums: Bool = true) -> String {
        do {
            let archive = try TorchArchive(url, verifyChecksums: verifyChecksums)
            for name in archive.names { _ = try archive.array(named: name) }
            return "no error"
        } catch { return error.localizedDescription }
    }
}

func torchMessage(_ data: Data, verifyChecksums: Bool = true) -> String {
    do { return try TorchArchiveScratch(data).message(verifyChecksums: verifyChecksums) } catch { return "\(error)" }
}
