// What a benchmark is: items, a score for each, and the numbers it is known by.
import Foundation

/// Scores of the paper and the release for one model.
public struct PaperBand: Sendable {
    public var model: String
    public var low: Double
    public var high: Double

    init(_ model: String, _ low: Double, _ high: Double? = nil) { (self.model, self.low, self.high) = (model, low, high ?? low) }
}

/// How a benchmark scores.
public protocol Benchmark: Sendable {
    func score(_ record: ItemRecord, _ item: EvaluationItem) -> ItemScore
    /// Files to hand in elsewhere, by name.
    func submissions(_ records: [ItemRecord]) throws -> [String: Data]
}

extension Benchmark {
    public func submissions(_ records: [ItemRecord]) throws -> [String: Data] { [:] }
}

/// What is asked of a benchmark's data.
public struct BenchmarkRequest: Sendable {
    /// The benchmark's folder.
    public var folder: String
    /// Settings of the benchmark, such as "split".
    public var options: [String: String] = [:]
    /// Whether the run uses the extractor.
    public var extracts = false
    /// Whether replies are to be spoken.
    public var speaks = false

    public init(folder: String) { self.folder = folder }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// A setting that is a list of numbers.
    func numbers(_ key: String, default values: [Double]) throws -> [Double] {
        guard let text = options[key] else { return values }
        let numbers = text.split(separator: ",").map { Double($0.trimmingCharacters(in: .whitespaces)) }
        guard !numbers.isEmpty, numbers.allSatisfy({ $0?.isFinite == true }) else {
            throw EvaluationError.invalid("\(key) is '\(text)'; give numbers with commas between them")
        }
        return numbers.compactMap { $0 }
    }
}

/// A benchmark by name.
public struct BenchmarkInfo: Sendable {
    public var name: String
    public var title: String
    /// The first is the one the benchmark is known by.
    public var metrics: [MetricDefinition]
    public var bands: [PaperBand] = []
    /// Folders of the release's layout that it may lie in, below the root of the evaluation data.
    public var folders: [String]
    /// Files or folders by which its folder is known; one is enough.
    public var marks: [String]
    /// Where to get the data.
    public var source: String
    /// What the folder looks like.
    public var layout: String
    /// Settings it knows, with what they mean.
    public var options: [(key: String, meaning: String)] = []
    public var load: @Sendable (BenchmarkRequest) throws -> (benchmark: any Benchmark, items: [EvaluationItem])

    /// The benchmark's own metrics, and those that any may have.
    public var allMetrics: [MetricDefinition] {
        metrics + MetricDefinition.universal.filter { general in !metrics.contains { $0.key == general.key } }
    }

    /// The benchmark's folder below `data`: that of the release's layout, or `data` itself.
    public func locate(_ data: String) throws -> String {
        let roots = [data, "\(data)/Lyra_Eval", "\(data)/data/Lyra_Eval"]
        let places = roots.flatMap { root in folders.map { "\(root)/\($0)" } } + [data]
        let found = places.first { place in marks.contains { Files.exists("\(place)/\($0)") } }
        guard let found else { throw MissingData(name: name, title: title, looked: data, source: source, layout: layout) }
        return found
    }
}

/// The data of a benchmark are not there.
public struct MissingData: Error, LocalizedError {
    public var name, title, looked, source, layout: String

    public var errorDescription: String? {
        """
        no data for \(name) (\(title)) in \(looked).
        Get them from \(source), and lay them out so:
        \(layout.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
        """
    }
}

/// All benchmarks.
public enum Benchmarks {
    public static let all: [BenchmarkInfo] =
        [LibriSpeech.info] + VisualQuestions.all + [MMVet.text, MMVet.speech, MME.info] + VideoQuestions.all
        + [Needle.info, Nano.info]

    public static func named(_ name: String) throws -> BenchmarkInfo {
        guard let info = all.first(where: { $0.name == name }) else {
            throw EvaluationError.unknownBenchmark(name, known: all.map(\.name))
        }
        return info
    }

    /// So many items, taken evenly from all of them; items of a group stay together.
    public static func limited(_ items: [EvaluationItem], to limit: Int?) -> [EvaluationItem] {
        guard let limit, limit < items.count else { return items }
        var units: [[EvaluationItem]] = []
        for item in items {
            if let group = item.group, units.last?.last?.group == group { units[units.count - 1].append(item) } else { units.append([item]) }
        }
        let size = Double(items.count) / Double(units.count), count = max(1, min(units.count, Int((Double(limit) / size).rounded())))
        return (0..<count).flatMap { units[$0 * units.count / count] }
    }
}

enum Files {
    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The first of several that is there; the first of all if none is, for the message about it.
    static func first(_ paths: [String]) -> String { paths.first(where: exists) ?? paths[0] }

    static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted {
            $0.compare($1, options: .numeric) == .orderedAscending
        }
    }

    static func join(_ folder: String, _ path: String) -> String { path.hasPrefix("/") ? path : "\(folder)/\(path)" }
}

/// Reads the lists that data sets come as: a JSON list, or an object a line.
enum DataLines {
    /// Each item, or why it cannot be read. Items are counted from 1 in lists, by their line in others.
    static func read<Item: Decodable>(_ path: String, as type: Item.Type) throws -> [(number: Int, item: Result<Item, EvaluationError>)] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw EvaluationError.unreadable(path: path, reason: "there is no such file")
        }
        let decoder = JSONDecoder()
        func decoded(_ data: Data, _ number: Int) -> Result<Item, EvaluationError> {
            Result { try decoder.decode(Item.self, from: data) }.mapError {
                .unreadable(path: "\((path as NSString).lastPathComponent):\(number)", reason: Self.reason($0))
            }
        }
        guard data.first(where: { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }) == UInt8(ascii: "[") else {
            return data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().compactMap { index, line in
                line.allSatisfy { [0x20, 0x0D, 0x09].contains($0) } ? nil : (index + 1, decoded(Data(line), index + 1))
            }
        }
        do {
            return try decoder.decode([Lossy<Item>].self, from: data).enumerated().map { index, entry in
                (index + 1, entry.result.mapError { .unreadable(path: "\((path as NSString).lastPathComponent)[\(index)]", reason: Self.reason($0)) })
            }
        } catch {
            throw EvaluationError.unreadable(path: path, reason: "it is no JSON list")
        }
    }

    /// One JSON value.
    static func value<Value: Decodable>(_ path: String, as type: Value.Type) throws -> Value {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw EvaluationError.unreadable(path: path, reason: "there is no such file")
        }
        do { return try JSONDecoder().decode(Value.self, from: data) } catch {
            throw EvaluationError.unreadable(path: path, reason: reason(error))
        }
    }

    private struct Lossy<Item: Decodable>: Decodable {
        let result: Result<Item, any Error>
        init(from decoder: any Decoder) { result = Result { try Item(from: decoder) } }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "the key '\(key.stringValue)' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' holds something else than it should"
        default: "it is not JSON"
        }
    }
}

/// A key that holds text or a number.
struct TextOrNumber: Decodable, Hashable {
    let text: String
    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let number = try? value.decode(Int.self) { text = "\(number)" } else { text = try value.decode(String.self) }
    }
}

/// A key that holds one text or several.
struct OneOrMore: Decodable {
    let texts: [String]
    init(from decoder: any Decoder) throws {
        if let texts = try? decoder.singleValueContainer().decode([TextOrNumber].self) {
            self.texts = texts.map(\.text)
        } else if let number = try? decoder.singleValueContainer().decode(Double.self), number != number.rounded() {
            texts = ["\(number)"]
        } else {
            texts = [try decoder.singleValueContainer().decode(TextOrNumber.self).text]
        }
    }
}
