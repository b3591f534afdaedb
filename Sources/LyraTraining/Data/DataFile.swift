// Where the items of a large JSON list or JSON lines file lie, and their bytes on request. Knows no keys.
import Foundation
import LyraText

/// A data file. Opening it goes through it once and keeps 12 bytes an item; items are read from disk when asked for.
public final class DataFile: Sendable {
    public let path: String
    /// A JSON list, or else JSON lines.
    public let isList: Bool
    public var count: Int { places.starts.count }
    /// Size and time of last change, for telling whether something derived from the file still holds.
    public let fingerprint: String
    private let descriptor: Int32
    private let places: ItemPlaces

    /// - Throws: ``DataFileError``.
    public init(_ path: String) throws {
        self.path = path
        let (descriptor, status) = try Self.open(path)
        self.descriptor = descriptor
        fingerprint = "\(status.st_size):\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        do {
            (isList, places) = try ItemPlaces.scan(descriptor, path)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    /// Opens a regular file. A pipe is refused before it is opened, which would wait for its other end.
    static func open(_ path: String) throws -> (descriptor: Int32, status: stat) {
        var status = stat()
        func reason() -> String { String(cString: strerror(errno)) }
        guard stat(path, &status) == 0 else { throw DataFileError.unreadable(path: path, reason: reason()) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw DataFileError.unreadable(path: path, reason: "it is not a regular file")
        }
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DataFileError.unreadable(path: path, reason: reason()) }
        return (descriptor, status)
    }

    /// The item's text.
    /// - Throws: ``DataFileError`` if the file is gone or shorter than it was.
    public func bytes(_ index: Int) throws -> [UInt8] {
        let length = Int(places.lengths[index]), start = places.starts[index]
        return try [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            while count < length {
                let got = pread(descriptor, buffer.baseAddress.map { $0 + count }, length - count, off_t(start + count))
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else {
                    throw DataFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
                }
                guard got > 0 else { throw DataFileError.changed(path: path) }
                count += got
            }
        }
    }

    /// The item's line, from 1; nil in a list.
    public func line(_ index: Int) -> Int? { isList ? nil : index + 1 + places.blankLines(before: index) }

    /// Runs `body` over an item; a mistake in its JSON or in what it says becomes a ``BadSample`` that says where.
    func parse<Value>(_ index: Int, _ body: (inout JSONReader, [UInt8]) throws -> Value) throws -> Value {
        let bytes = try bytes(index)
        do {
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw SampleFault(.notJSON, "the text is not UTF-8")
            }
            var reader = JSONReader(bytes)
            let value = try body(&reader, bytes)
            try reader.end()
            return value
        } catch let failure as JSONReader.Failure {
            throw bad(index, id: nil, SampleFault(.notJSON, "\(failure.reason), at byte \(failure.byte) of the item"))
        } catch let fault as SampleFault {
            throw bad(index, id: nil, fault)
        }
    }

    func bad(_ index: Int, id: String?, _ fault: SampleFault) -> BadSample {
        BadSample(
            file: path, index: index, line: line(index), id: id, key: fault.key, reason: fault.reason, detail: fault.detail)
    }
}

/// Byte ranges of items.
private struct ItemPlaces {
    var starts: [Int] = []
    var lengths: [UInt32] = []
    /// Items that blank lines stand before, and how many blank lines there are up to them.
    private var blanks: [(item: Int, total: Int)] = []

    static let longestItem = 256 << 20

    func blankLines(before index: Int) -> Int {
        var low = 0, high = blanks.count
        while low < high {
            let middle = (low + high) / 2
            if blanks[middle].item <= index { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? blanks[low - 1].total : 0
    }

    private mutating func add(_ start: Int, _ end: Int, _ path: String) throws {
        guard end - start <= Self.longestItem else {
            throw DataFileError.malformed(
                path: path, byte: start, reason: "item \(starts.count) takes \(end - start) bytes, more than \(Self.longestItem)")
        }
        starts.append(start)
        lengths.append(UInt32(end - start))
    }

    // MARK: Scanning

    static func scan(_ descriptor: Int32, _ path: String) throws -> (isList: Bool, places: ItemPlaces) {
        var places = ItemPlaces()
        var list = ListScanner(), lines = LineScanner()
        var isList: Bool?
        var offset = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let got = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                throw DataFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
            }
            if got == 0 { break }
            var bytes = UnsafeRawBufferPointer(rebasing: buffer[..<got])
            if offset == 0, bytes.starts(with: [0xEF, 0xBB, 0xBF]) {  // a byte order mark
                bytes = UnsafeRawBufferPointer(rebasing: bytes[3...])
                offset += 3
            }
            if isList == nil, let first = bytes.firstIndex(where: { !isSpace($0) }) {
                isList = bytes[first] == UInt8(ascii: "[")
                guard isList == true || bytes[first] == UInt8(ascii: "{") else {
                    throw DataFileError.malformed(
                        path: path, byte: offset + first, reason: "it begins neither with [ (a JSON list) nor with { (JSON lines)")
                }
            }
            switch isList {
            case true?: try list.read(bytes, at: offset, into: &places, path)
            case false?: try lines.read(bytes, at: offset, into: &places, path)
            case nil: lines.skipBlank(bytes)
            }
            offset += bytes.count
        }
        switch isList {
        case true?: try list.finish(at: offset, places, path)
        case false?: try lines.finish(at: offset, into: &places, path)
        case nil: throw DataFileError.unreadable(path: path, reason: "it is empty")
        }
        if isList == false, places.lengths.first == 1 {
            throw DataFileError.malformed(
                path: path, byte: places.starts[0],
                reason: "it begins with an object that spans several lines; write a list, [ ... ], or one object a line")
        }
        return (isList ?? false, places)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    /// Finds what stands between the commas of the outermost list. Whether that is sound JSON is found out when it is read.
    private struct ListScanner {
        var depth = 0
        var isInString = false
        var isEscaped = false
        var isClosed = false
        var start: Int?  // of the item under way
        var end = 0  // after its last byte that is not white space
        var sawComma = false

        mutating func read(_ bytes: UnsafeRawBufferPointer, at offset: Int, into places: inout ItemPlaces, _ path: String) throws {
            var i = 0
            while i < bytes.count {
                let byte = bytes[i]
                if isInString {
                    if isEscaped {
                        isEscaped = false
                    } else if byte == UInt8(ascii: "\\") {
                        isEscaped = true
                    } else if byte == UInt8(ascii: "\"") {
                        isInString = false
                        end = offset + i + 1
                    }
                    i += 1
                    continue
                }
                defer { i += 1 }
                if isSpace(byte) { continue }
                if isClosed {
                    throw DataFileError.malformed(path: path, byte: offset + i, reason: "there is something after the list")
                }
                switch byte {
                case UInt8(ascii: "[") where depth == 0:
                    depth = 1
                    continue
                case UInt8(ascii: ",") where depth == 1:
                    try close(at: offset + i, into: &places, path)
                    sawComma = true
                    continue
                case UInt8(ascii: "]") where depth == 1:
                    if start != nil || sawComma { try close(at: offset + i, into: &places, path) }
                    isClosed = true
                    continue
                case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    depth -= 1
                    guard depth >= 1 else {
                        throw DataFileError.malformed(path: path, byte: offset + i, reason: "a } without its {")
                    }
                case UInt8(ascii: "\""): isInString = true
                default: break
                }
                if start == nil { start = offset + i }
                end = offset + i + 1
            }
        }

        private mutating func close(at byte: Int, into places: inout ItemPlaces, _ path: String) throws {
            guard let begun = start else {
                throw DataFileError.malformed(path: path, byte: byte, reason: "nothing stands before this , or ]")
            }
            try places.add(begun, end, path)
            start = nil
        }

        func finish(at byte: Int, _ places: ItemPlaces, _ path: String) throws {
            guard !isClosed else { return }
            let place = start.map { "item \(places.starts.count), which begins at byte \($0), " } ?? "the list "
            throw DataFileError.malformed(path: path, byte: byte, reason: "\(place)does not end; the file is cut short")
        }
    }

    private struct LineScanner {
        var start: Int?
        var end = 0
        var blank = 0

        mutating func skipBlank(_ bytes: UnsafeRawBufferPointer) { blank += bytes.count { $0 == 0x0A } }

        mutating func read(_ bytes: UnsafeRawBufferPointer, at offset: Int, into places: inout ItemPlaces, _ path: String) throws {
            for i in 0..<bytes.count {
                let byte = bytes[i]
                if byte == 0x0A {
                    try finish(at: offset + i, into: &places, path)
                } else if !isSpace(byte) {
                    if start == nil { start = offset + i }
                    end = offset + i + 1
                }
            }
        }

        mutating func finish(at byte: Int, into places: inout ItemPlaces, _ path: String) throws {
            guard let begun = start else {
                blank += 1
                return
            }
            if blank > (places.blanks.last?.total ?? 0) { places.blanks.append((places.starts.count, blank)) }
            try places.add(begun, end, path)
            start = nil
        }
    }
}
