// The part of the zip format that PyTorch writes: stored entries, with 64-bit sizes where needed. No compression.
import Foundation
import Synchronization

/// A zip file's entries, each checked to lie within the file and to overlap no other.
final class TorchZip: Sendable {
    struct Entry {
        /// Bytes of the entry's data in the file.
        var range: Range<Int>
        var checksum: UInt32
    }

    let path: String
    let entries: [String: Entry]
    private let data: Data
    private let verifiesChecksums: Bool
    /// Entries whose checksums were found right.
    private let verified = Mutex<Set<String>>([])

    /// Maps the file, which must not be shortened while this is in use.
    init(path: String, verifyChecksums: Bool) throws(TorchArchiveError) {
        self.path = path
        verifiesChecksums = verifyChecksums
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        } catch {
            throw .unreadable(path: path, reason: error.localizedDescription)
        }
        entries = try Reader(data: data, path: path).entries()
    }

    /// Calls `body` with an entry's bytes in place; the first time, compares them with their checksum.
    func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        guard let entry = entries[name] else { throw TorchArchiveError.badZip(path: path, reason: "it lacks \(name)") }
        return try data.withUnsafeBytes { (file: UnsafeRawBufferPointer) in
            let bytes = UnsafeRawBufferPointer(rebasing: file[entry.range])
            if verifiesChecksums, !verified.withLock({ $0.contains(name) }) {
                guard CRC32.checksum(bytes) == entry.checksum else { throw TorchArchiveError.damaged(path: path, entry: name) }
                verified.withLock { _ = $0.insert(name) }
            }
            return try body(bytes)
        }
    }
}

/// Walks the structures of a zip file.
private struct Reader {
    let data: Data
    let path: String

    private func fail(_ reason: String) -> TorchArchiveError { .badZip(path: path, reason: reason) }

    /// A little-endian number, or nil beyond the end.
    private func number<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T? {
        guard offset >= 0, offset <= data.count - MemoryLayout<T>.size else { return nil }
        return data.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    private func u16(_ offset: Int) throws(TorchArchiveError) -> Int {
        guard let value = number(offset, UInt16.self) else { throw fail("cut off at byte \(data.count)") }
        return Int(value)
    }

    private func u32(_ offset: Int) throws(TorchArchiveError) -> Int {
        guard let value = number(offset, UInt32.self) else { throw fail("cut off at byte \(data.count)") }
        return Int(value)
    }

    private func u64(_ offset: Int) throws(TorchArchiveError) -> Int {
        guard let value = number(offset, UInt64.self) else { throw fail("cut off at byte \(data.count)") }
        guard let value = Int(exactly: value) else { throw fail("a size at byte \(offset) beyond any file") }
        return value
    }

    func entries() throws(TorchArchiveError) -> [String: TorchZip.Entry] {
        guard number(0, UInt32.self) == 0x0403_4B50 else { throw .notZip(path: path, hint: hint()) }
        let (count, start, size) = try directory()
        guard start <= data.count, size <= data.count - start else { throw fail("its directory lies outside of the file") }
        guard count <= size / 46 else { throw fail("\(count) entries do not fit a directory of \(size) bytes") }
        var entries: [String: TorchZip.Entry] = [:]
        var offset = start
        for _ in 0..<count {
            let (name, entry, length) = try self.entry(offset, end: start + size, directory: start)
            guard entries.updateValue(entry, forKey: name) == nil else { throw fail("two entries named \(name)") }
            offset += length
        }
        var end = 0
        for (name, entry) in entries.sorted(by: { $0.value.range.lowerBound < $1.value.range.lowerBound }) where !entry.range.isEmpty {
            guard entry.range.lowerBound >= end else { throw fail("\(name) overlaps another entry") }
            end = entry.range.upperBound
        }
        return entries
    }

    /// What kind of file it is instead.
    private func hint() -> String {
        if data.isEmpty { return "it is empty" }
        if data.starts(with: "version https://git-lfs".utf8) {
            return "it is a git-lfs pointer; fetch the file itself (git lfs pull)"
        }
        if data.first == 0x80 {
            return "it is a bare pickle, as PyTorch wrote before version 1.6; "
                + "load it in PyTorch and save it again, best as safetensors"
        }
        if data.count > 8, data[8] == UInt8(ascii: "{") { return "it looks like a safetensors file" }
        return "its first bytes are not those of any PyTorch file"
    }

    /// Number of entries, and place and size of the central directory.
    private func directory() throws(TorchArchiveError) -> (count: Int, start: Int, size: Int) {
        // The end record is followed only by a comment of at most 65,535 bytes whose length it holds.
        var offset = data.count - 22
        let lowest = max(0, offset - 65_535)
        while offset >= lowest {
            if number(offset, UInt32.self) == 0x0605_4B50, try u16(offset + 20) == data.count - offset - 22 { break }
            offset -= 1
        }
        guard offset >= lowest else { throw fail("its directory is missing; the file is cut off") }
        let (count, size, start) = (try u16(offset + 10), try u32(offset + 12), try u32(offset + 16))
        guard count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF else { return (count, start, size) }
        guard offset >= 20, try u32(offset - 20) == 0x0706_4B50 else { throw fail("its 64-bit directory is missing") }
        let end = try u64(offset - 12)
        guard number(end, UInt32.self) == 0x0606_4B50, end <= data.count - 56 else {
            throw fail("its 64-bit directory is missing")
        }
        return (try u64(end + 32), try u64(end + 48), try u64(end + 40))
    }

    /// One entry of the directory and how many bytes it takes there.
    private func entry(
        _ offset: Int, end: Int, directory: Int
    ) throws(TorchArchiveError) -> (name: String, TorchZip.Entry, length: Int) {
        guard offset <= end - 46, try u32(offset) == 0x0201_4B50 else { throw fail("no directory entry at byte \(offset)") }
        let (flags, method) = (try u16(offset + 8), try u16(offset + 10))
        let checksum = UInt32(try u32(offset + 16))
        var (stored, size, place) = (try u32(offset + 20), try u32(offset + 24), try u32(offset + 42))
        let (nameLength, extraLength, commentLength) = (try u16(offset + 28), try u16(offset + 30), try u16(offset + 32))
        let length = 46 + nameLength + extraLength + commentLength
        guard offset <= end - length else { throw fail("a directory entry at byte \(offset) leaves the directory") }
        let name = String(decoding: data[(offset + 46)..<(offset + 46 + nameLength)], as: UTF8.self)

        guard flags & 1 == 0 else { throw fail("\(name) is encrypted") }
        guard method == 0 else {
            throw fail("\(name) is compressed (method \(method)), which PyTorch never does; repack it without compression")
        }

        if [stored, size, place].contains(0xFFFF_FFFF) {
            let extra = offset + 46 + nameLength
            var wide = try wideValues(extra..<extra + extraLength)[...]
            // In this order, each only where the 32-bit field is all ones.
            if size == 0xFFFF_FFFF { size = wide.popFirst() ?? -1 }
            if stored == 0xFFFF_FFFF { stored = wide.popFirst() ?? -1 }
            if place == 0xFFFF_FFFF { place = wide.popFirst() ?? -1 }
        }
        guard stored == size, size >= 0, place >= 0, number(place, UInt32.self) == 0x0403_4B50 else {
            throw fail("the directory says something impossible about \(name)")
        }
        let begin = place + 30 + (try u16(place + 26)) + (try u16(place + 28))
        guard try u16(place + 26) == nameLength, begin <= directory, size <= directory - begin,
              data[(place + 30)..<(place + 30 + nameLength)].elementsEqual(data[(offset + 46)..<(offset + 46 + nameLength)])
        else { throw fail("\(name) is not where the directory says") }
        return (name, TorchZip.Entry(range: begin..<begin + size, checksum: checksum), length)
    }

    /// The values of the 64-bit extra field, if there is one in `range`.
    private func wideValues(_ range: Range<Int>) throws(TorchArchiveError) -> [Int] {
        var offset = range.lowerBound
        while offset <= range.upperBound - 4 {
            let (tag, length) = (try u16(offset), try u16(offset + 2))
            guard length <= range.upperBound - offset - 4 else { break }
            if tag == 1 {
                var values: [Int] = []
                for field in 0..<length / 8 { values.append(try u64(offset + 4 + 8 * field)) }
                return values
            }
            offset += 4 + length
        }
        return []
    }
}
