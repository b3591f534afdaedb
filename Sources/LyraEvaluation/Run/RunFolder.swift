// A run on disk: what was asked for, a line for each item as it is done, and what is made of them. Whenever the process ends, what
// is there can be gone on with.
import Foundation

/// What a run was asked for. A run that is gone on with has the same.
public struct RunSettings: Codable, Sendable, Equatable {
    public var benchmark: String
    public var model: String
    /// Of the model's configuration and weights, by name, size and time.
    public var modelFingerprint: String
    public var data: String
    public var precision: String
    public var adapter: String
    public var isCompatible: Bool
    /// "gap 7, keep 0.7"; nil without the extractor.
    public var extractor: String?
    public var limit: Int?
    public var maximumTokens: Int?
    public var maximumFrames: Int
    public var speaks: Bool
    /// Settings of the benchmark itself, such as the split or the grid.
    public var options: [String: String]

    public init(
        benchmark: String, model: String, modelFingerprint: String, data: String, precision: String, adapter: String,
        isCompatible: Bool, extractor: String?, limit: Int?, maximumTokens: Int?, maximumFrames: Int, speaks: Bool,
        options: [String: String]
    ) {
        (self.benchmark, self.model, self.modelFingerprint, self.data) = (benchmark, model, modelFingerprint, data)
        (self.precision, self.adapter, self.isCompatible, self.extractor) = (precision, adapter, isCompatible, extractor)
        (self.limit, self.maximumTokens, self.maximumFrames) = (limit, maximumTokens, maximumFrames)
        (self.speaks, self.options) = (speaks, options)
    }
}

/// A folder that cannot be used for a run.
public enum RunFolderError: Error, LocalizedError, Equatable {
    case exists(String)
    case otherRun(String, difference: String)
    case unreadable(String, reason: String)
    case notARun(String)
    case unwritable(String, reason: String)

    public var errorDescription: String? {
        switch self {
        case .exists(let path): "\(path) holds a run already; go on with it by --resume, or choose another folder with --out"
        case .otherRun(let path, let difference): "\(path) holds another run: \(difference); choose another folder with --out"
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .notARun(let path): "\(path) holds no run of lyra eval (no run.json)"
        case .unwritable(let path, let reason): "cannot write \(path): \(reason)"
        }
    }
}

/// A part of a run that a process of its own does: every `count`-th item.
public struct Shard: Sendable, Equatable {
    /// From 1.
    public var number: Int
    public var count: Int

    public init?(number: Int, of count: Int) {
        guard (1...1_024).contains(count), (1...count).contains(number) else { return nil }
        (self.number, self.count) = (number, count)
    }

    func holds(_ index: Int) -> Bool { index % count == number - 1 }
}

/// The folder of a run.
public final class RunFolder {
    public let path: String
    public let settings: RunSettings
    /// Of all processes, as far as they had come when this one began; kept up to date for its own.
    public private(set) var records: [Int: ItemRecord]
    let shard: Shard?
    private let itemsName: String
    private let handle: FileHandle

    public static let settingsName = "run.json", summaryName = "summary.json", reportName = "report.html"

    /// Begins a run, or goes on with the one that is there. A process that does a part begins that part.
    public init(_ path: String, _ settings: RunSettings, resume: Bool, shard: Shard? = nil) throws {
        (self.path, self.settings, self.shard) = (path, settings, shard)
        itemsName = shard.map { "items-\($0.number)-of-\($0.count).jsonl" } ?? "items.jsonl"
        let settingsPath = "\(path)/\(Self.settingsName)", itemsPath = "\(path)/\(itemsName)"
        if FileManager.default.fileExists(atPath: settingsPath) {
            let found = try Self.settings(of: path)
            guard resume || (shard != nil && !Files.exists(itemsPath)) else { throw RunFolderError.exists(path) }
            if found != settings { throw RunFolderError.otherRun(path, difference: try Self.difference(found, settings)) }
        } else {
            do {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                try JSON.pretty(settings).write(to: URL(fileURLWithPath: settingsPath), options: .atomic)
            } catch {
                throw RunFolderError.unwritable(path, reason: error.localizedDescription)
            }
        }
        try Self.repair(itemsPath)
        records = Self.allRecords(of: path)
        guard let handle = FileHandle(forWritingAtPath: itemsPath) else {
            throw RunFolderError.unwritable(itemsPath, reason: String(cString: strerror(errno)))
        }
        self.handle = handle
        try handle.seekToEnd()
    }

    /// Adds an item's line, so that it is there whatever happens next.
    public func append(_ record: ItemRecord) throws {
        do {
            try handle.write(contentsOf: JSON.line(record))
            try handle.synchronize()
        } catch {
            throw RunFolderError.unwritable("\(path)/\(itemsName)", reason: error.localizedDescription)
        }
        records[record.index] = record
    }

    public func write(_ data: Data, to name: String) throws {
        do {
            try data.write(to: URL(fileURLWithPath: "\(path)/\(name)"), options: .atomic)
        } catch {
            throw RunFolderError.unwritable("\(path)/\(name)", reason: error.localizedDescription)
        }
    }

    // MARK: Reading

    public static func settings(of path: String) throws -> RunSettings {
        let file = "\(path)/\(settingsName)"
        guard let data = FileManager.default.contents(atPath: file) else { throw RunFolderError.notARun(path) }
        do { return try JSON.decoder.decode(RunSettings.self, from: data) } catch {
            throw RunFolderError.unreadable(file, reason: "it is damaged")
        }
    }

    /// The items of a run, of all its processes, in the benchmark's order.
    public static func items(of path: String) -> [ItemRecord] { allRecords(of: path).values.sorted { $0.index < $1.index } }

    private static func allRecords(of path: String) -> [Int: ItemRecord] {
        let files = Files.names(in: path).filter { $0.hasPrefix("items") && $0.hasSuffix(".jsonl") }
        return files.reduce(into: [:]) { all, name in
            all.merge(records(FileManager.default.contents(atPath: "\(path)/\(name)") ?? Data()).records) { $1.score == nil ? $0 : $1 }
        }
    }

    /// Cuts off what a process that was killed left of a last line; makes the file if there is none.
    private static func repair(_ path: String) throws {
        let data = FileManager.default.contents(atPath: path)
        let length = records(data ?? Data()).length
        guard data == nil || length < data?.count ?? 0 else { return }
        do { try (data ?? Data()).prefix(length).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw RunFolderError.unwritable(path, reason: error.localizedDescription)
        }
    }

    /// Items by their place, the last line of each; and how many bytes of whole lines there are. A line in the middle that
    /// cannot be read is passed over, and its item is asked again.
    private static func records(_ data: Data) -> (records: [Int: ItemRecord], length: Int) {
        var records: [Int: ItemRecord] = [:]
        let end = data.lastIndex(of: 0x0A).map { $0 + 1 } ?? data.startIndex
        for line in data[..<end].split(separator: 0x0A) {
            if let record = try? JSON.decoder.decode(ItemRecord.self, from: Data(line)) { records[record.index] = record }
        }
        return (records, end - data.startIndex)
    }

    private static func difference(_ a: RunSettings, _ b: RunSettings) throws -> String {
        let (a, b) = (try JSON.object(a), try JSON.object(b))
        func text(_ value: Any?) -> String { value.map { "\($0)" } ?? "none" }
        return Set(a.keys).union(b.keys).sorted().filter { text(a[$0]) != text(b[$0]) }
            .map { "\($0) is \(text(a[$0])) there, \(text(b[$0])) here" }.joined(separator: ", ")
    }
}

/// JSON as runs write it.
enum JSON {
    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return decoder
    }

    private static func encoder(_ formatting: JSONEncoder.OutputFormatting) -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        return encoder
    }

    static func line(_ value: some Encodable) throws -> Data { try encoder([]).encode(value) + Data("\n".utf8) }
    static func pretty(_ value: some Encodable) throws -> Data { try encoder(.prettyPrinted).encode(value) + Data("\n".utf8) }
    static func object(_ value: some Encodable) throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: encoder([]).encode(value)) as? [String: Any] ?? [:]
    }
}
