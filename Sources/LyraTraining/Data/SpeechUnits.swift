// Lists of speech units as the tools that make them write them: in the item, or in a file of their own.
import Foundation
import LyraText

/// Reads a list of units.
///
/// Units that repeat are one unit: the model's units are runs, whose lengths the vocoder predicts. Lists by frame
/// (`quantize_with_kmeans` writes them) and reduced ones (the release's) give the same.
enum UnitList {
    /// A list of numbers, or text: `"12 7 3"`, `"<12><7><3>"`, with `<sosp>` and `<eosp>` around it or not.
    static func read(_ reader: inout JSONReader, key: String) throws -> [Int32] {
        if reader.peek() == UInt8(ascii: "\"") { return try parse(try reader.string(), key: key) }
        guard reader.peek() == UInt8(ascii: "[") else {
            throw SampleFault(.units, key: key, "expected a list of numbers, or text such as \"12 7 3\" or \"<12><7><3>\"")
        }
        var units: [Int32] = []
        try reader.array { reader in
            guard let unit = Int32(exactly: try reader.integer()), unit >= 0 else {
                throw SampleFault(.units, key: key, "a unit is negative or too large")
            }
            if units.last != unit { units.append(unit) }
        }
        return try checked(units, key)
    }

    static func parse(_ text: some Collection<UInt8>, key: String) throws -> [Int32] {
        var units: [Int32] = []
        let separators = Set(" \t\r\n,<>[]".utf8)
        for word in text.split(whereSeparator: { separators.contains($0) }) {
            let digits = String(decoding: word, as: UTF8.self)
            if digits == "sosp" || digits == "eosp" { continue }
            guard word.allSatisfy({ (48...57).contains($0) }), let unit = Int32(digits) else {
                throw SampleFault(.units, key: key, "'\(digits.prefix(20))' is not a unit")
            }
            if units.last != unit { units.append(unit) }
        }
        return try checked(units, key)
    }

    private static func checked(_ units: [Int32], _ key: String) throws -> [Int32] {
        guard !units.isEmpty else { throw SampleFault(.units, key: key, "there are none") }
        return units
    }
}

/// Units by sample id, in a file that is read where needed.
///
/// Lines are `id|12 7 3` as fairseq's `quantize_with_kmeans` writes them, or JSON objects with `id` (or `audio`, whose
/// file name without extension is the id) and `units`, `tgt_unit` or `hubert`.
public final class UnitsFile: Sendable {
    public let path: String
    private let descriptor: Int32
    /// By hash of the id, with the place of the line. 24 bytes a line.
    private let entries: [Entry]
    public var count: Int { entries.count }

    private struct Entry {
        var hash: UInt64
        var start: Int
        var length: Int
    }

    /// - Throws: ``DataFileError``.
    public init(_ path: String) throws {
        self.path = path
        let descriptor = try DataFile.open(path).descriptor
        self.descriptor = descriptor
        do {
            entries = try Self.scan(path)
            for (a, b) in zip(entries, entries.dropFirst()) where a.hash == b.hash {
                // Equal hashes of different ids do no harm: lookups compare ids.
                if let id = try id(a), try id == self.id(b) { throw DataFileError.duplicateUnits(path: path, id: id) }
            }
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    private static func scan(_ path: String) throws -> [Entry] {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw DataFileError.unreadable(path: path, reason: error.localizedDescription)
        }
        var entries: [Entry] = []
        try data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            var start = 0, number = 0
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
                let line = bytes[start..<end]
                number += 1
                if line.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) {
                    guard let parts = try? parts(Array(line)) else {
                        throw DataFileError.malformed(
                            path: path, byte: start,
                            reason: "line \(number) is neither 'id|units' nor a JSON object with id (or audio) and units")
                    }
                    entries.append(Entry(hash: hash(parts.id), start: start, length: end - start))
                }
                start = end + 1
            }
        }
        return entries.sorted { ($0.hash, $0.start) < ($1.hash, $1.start) }
    }

    /// Id and units, the latter unread: text, or a reader that stands before them.
    private static func parts(_ line: [UInt8]) throws -> (id: String, units: () throws -> [Int32]) {
        guard line.first(where: { $0 != 0x20 && $0 != 0x09 }) == UInt8(ascii: "{") else {
            guard let bar = line.firstIndex(of: UInt8(ascii: "|")) else { throw SampleFault(.units, "no | in the line") }
            let id = String(decoding: line[..<bar], as: UTF8.self).trimmingCharacters(in: .whitespaces)
            return (id, { try UnitList.parse(line[(bar + 1)...], key: "units") })
        }
        guard String(validating: line, as: UTF8.self) != nil else { throw SampleFault(.units, "the line is not UTF-8") }
        var reader = JSONReader(line)
        var id: String?, audio: String?, units: JSONReader?
        try reader.object { reader, key in
            switch String(decoding: key, as: UTF8.self) {
            case "id": id = reader.peek() == UInt8(ascii: "\"") ? try reader.text() : String(try reader.integer())
            case "audio": audio = try reader.text()
            case "units", "tgt_unit", "hubert":
                _ = reader.peek()
                units = reader
                try reader.skip()
            default: try reader.skip()
            }
        }
        let stem = audio.map { (($0 as NSString).lastPathComponent as NSString).deletingPathExtension }
        guard let id = id ?? stem, let units else { throw SampleFault(.units, "an id or the units are missing") }
        return (id, { var reader = units; return try UnitList.read(&reader, key: "units") })
    }

    /// FNV-1a.
    private static func hash(_ id: String) -> UInt64 {
        id.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    private func line(_ entry: Entry) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: entry.length) { buffer, count in
            while count < entry.length {
                let got = pread(descriptor, buffer.baseAddress.map { $0 + count }, entry.length - count, off_t(entry.start + count))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { throw DataFileError.changed(path: path) }
                count += got
            }
        }
    }

    private func id(_ entry: Entry) throws -> String? { try? Self.parts(try line(entry)).id }

    /// The units of a sample, or nil if the file has none for it.
    /// - Throws: `SampleFault` if they are no units, ``DataFileError`` if the file is gone.
    func units(_ id: String) throws -> [Int32]? {
        let hash = Self.hash(id)
        var low = 0, high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        while low < entries.count, entries[low].hash == hash {
            let parts = try Self.parts(try line(entries[low]))
            if parts.id == id {
                do { return try parts.units() } catch let failure as JSONReader.Failure {
                    throw SampleFault(.units, key: "units", "\(failure.reason) (in \(path))")
                }
            }
            low += 1
        }
        return nil
    }
}
