// Writes a torch zip archive ("state dict" of dense tensors) that torch.load and TorchArchive read: what `torch.save`
// makes, in its smallest form. A ZIP of stored entries: data.pkl (pickle protocol 2), data/N (raw storages), version.
import Foundation

/// Tensors for one torch archive.
struct TorchArchiveWriter {
    /// Row-major float32 tensors by name, in order.
    var tensors: [(name: String, shape: [Int], values: [Float])]
    /// Key of an outer dictionary ("generator" for the vocoder); nil for a plain state dict.
    var outerKey: String?

    /// The whole file.
    func data() -> Data {
        var zip = ZipWriter()
        zip.add("archive/data.pkl", pickle())
        for (i, tensor) in tensors.enumerated() {
            zip.add("archive/data/\(i)", tensor.values.withUnsafeBytes { Data($0) })
        }
        zip.add("archive/version", Data("3\n".utf8))
        return zip.finish()
    }

    // MARK: Pickle

    private func pickle() -> Data {
        var out = Data([0x80, 2])
        if let outerKey {
            out.append(0x7D)  // {}
            out.appendText(outerKey)
            appendStateDictionary(to: &out)
            out.append(0x73)  // SETITEM
        } else {
            appendStateDictionary(to: &out)
        }
        out.append(0x2E)  // STOP
        return out
    }

    private func appendStateDictionary(to out: inout Data) {
        out.appendGlobal("collections", "OrderedDict")
        out.append(contentsOf: [0x29, 0x52])  // () REDUCE
        out.append(0x28)  // MARK
        for (i, tensor) in tensors.enumerated() {
            out.appendText(tensor.name)
            appendTensor(i, tensor.shape, count: tensor.values.count, to: &out)
        }
        out.append(0x75)  // SETITEMS
    }

    /// _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())
    private func appendTensor(_ index: Int, _ shape: [Int], count: Int, to out: inout Data) {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        out.appendGlobal("torch._utils", "_rebuild_tensor_v2")
        out.append(0x28)
        out.append(0x28)
        out.appendText("storage")
        out.appendGlobal("torch", "FloatStorage")
        out.appendText("\(index)")
        out.appendText("cpu")
        out.appendInteger(count)
        out.append(0x74)  // TUPLE
        out.append(0x51)  // BINPERSID
        out.appendInteger(0)
        for numbers in [shape, strides] {
            out.append(0x28)
            for number in numbers { out.appendInteger(number) }
            out.append(0x74)
        }
        out.append(0x89)  // False
        out.appendGlobal("collections", "OrderedDict")
        out.append(contentsOf: [0x29, 0x52, 0x74, 0x52])  // () REDUCE TUPLE REDUCE
    }
}

extension Data {
    fileprivate mutating func appendText(_ text: String) {
        append(0x58)
        appendLittleEndian(UInt32(text.utf8.count))
        append(contentsOf: text.utf8)
    }
    fileprivate mutating func appendGlobal(_ module: String, _ name: String) {
        append(contentsOf: "c\(module)\n\(name)\n".utf8)
    }
    fileprivate mutating func appendInteger(_ value: Int) {
        append(0x4A)
        appendLittleEndian(UInt32(truncatingIfNeeded: value))
    }
    fileprivate mutating func appendLittleEndian<T: FixedWidthInteger>(_ value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}

/// A ZIP archive of stored entries whose data start at multiples of 64 bytes, as torch aligns storages. Below 4 GiB.
private struct ZipWriter {
    private var out = Data()
    private var directory = Data()
    private var entries: UInt16 = 0

    mutating func add(_ name: String, _ contents: Data) {
        let checksum = Self.crc32(contents), size = UInt32(contents.count), offset = UInt32(out.count)
        // An extra field pads the header.
        let header = 30 + name.utf8.count + 4
        let padding = (64 - (out.count + header) % 64) % 64
        func fields(_ data: inout Data) {
            data.appendLittleEndian(UInt16(20))
            data.appendLittleEndian(UInt16(0))
            data.appendLittleEndian(UInt16(0))
            data.appendLittleEndian(UInt16(0))
            data.appendLittleEndian(UInt16(33))  // 1980-01-01: the same bytes every time
            data.appendLittleEndian(checksum)
            data.appendLittleEndian(size)
            data.appendLittleEndian(size)
            data.appendLittleEndian(UInt16(name.utf8.count))
        }
        out.appendLittleEndian(UInt32(0x0403_4B50))
        fields(&out)
        out.appendLittleEndian(UInt16(4 + padding))
        out.append(contentsOf: name.utf8)
        out.append(contentsOf: "FB".utf8)
        out.appendLittleEndian(UInt16(padding))
        out.append(Data(repeating: 0x5A, count: padding))
        out.append(contents)

        directory.appendLittleEndian(UInt32(0x0201_4B50))
        directory.appendLittleEndian(UInt16(20))
        fields(&directory)
        for _ in 0..<3 { directory.appendLittleEndian(UInt16(0)) }  // extra, comment, disk
        directory.appendLittleEndian(UInt16(0))
        directory.appendLittleEndian(UInt32(0))
        directory.appendLittleEndian(offset)
        directory.append(contentsOf: name.utf8)
        entries += 1
    }

    mutating func finish() -> Data {
        let start = UInt32(out.count)
        out.append(directory)
        out.appendLittleEndian(UInt32(0x0605_4B50))
        out.appendLittleEndian(UInt32(0))
        out.appendLittleEndian(entries)
        out.appendLittleEndian(entries)
        out.appendLittleEndian(UInt32(directory.count))
        out.appendLittleEndian(start)
        out.appendLittleEndian(UInt16(0))
        return out
    }

    private static let table: [UInt32] = (0..<256).map { i in
        (0..<8).reduce(UInt32(i)) { c, _ in c & 1 == 1 ? 0xEDB8_8320 ^ (c >> 1) : c >> 1 }
    }

    private static func crc32(_ data: Data) -> UInt32 {
        data.withUnsafeBytes { bytes in
            ~bytes.reduce(~UInt32(0)) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ ($0 >> 8) }
        }
    }
}
