// A shard on disk, and how shards become data files.
import Foundation

/// Lines of one shard: `OUT/train/.shards/spoken-0012.jsonl`, and beside it its utterances. Written last, so that its being
/// there says that the shard's media are.
struct ShardFiles {
    private let shard: DataSet.Shard
    private let folder: String

    init(_ folder: String, _ shard: DataSet.Shard) {
        self.folder = "\(folder)/\(shard.split)/.shards"
        self.shard = shard
    }

    private static func name(_ file: String, _ number: Int) -> String { "\(file)-\(String(format: "%04d", number)).jsonl" }
    private var lines: String { "\(folder)/\(Self.name(shard.file.name, shard.number))" }
    private var utterances: String { "\(folder)/speech-\(Self.name(shard.file.name, shard.number))" }

    /// Whether the shard is there with as many items as it should have.
    var isComplete: Bool {
        guard let data = FileManager.default.contents(atPath: lines) else { return false }
        return data.count { $0 == UInt8(ascii: "\n") } == shard.range.count
    }

    func write(_ records: [Record], _ spoken: [Utterance]) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if !spoken.isEmpty { try Self.lines(spoken).write(to: URL(fileURLWithPath: utterances), options: .atomic) }
        try Self.lines(records).write(to: URL(fileURLWithPath: lines), options: .atomic)
    }

    private static func lines(_ values: [some Encodable]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var data = Data()
        for value in values {
            data += try encoder.encode(value)
            data.append(UInt8(ascii: "\n"))
        }
        return data
    }

    /// Writes a split's data files from its shards, and `speech.jsonl` from those of all files that have speech.
    static func join(_ plan: SynthesisPlan, _ split: Split) throws -> [(path: String, count: Int)] {
        let folder = "\(plan.folder)/\(split)"
        var result: [(path: String, count: Int)] = []
        var speech = Data()
        for file in plan.files(of: split) where file.count > 0 {
            var data = Data()
            for number in 0..<((file.count + DataSet.shardSize - 1) / DataSet.shardSize) {
                data += try Data(contentsOf: URL(fileURLWithPath: "\(folder)/.shards/\(name(file.name, number))"))
                speech += FileManager.default.contents(atPath: "\(folder)/.shards/speech-\(name(file.name, number))") ?? Data()
            }
            try data.write(to: URL(fileURLWithPath: "\(folder)/\(file.name).jsonl"), options: .atomic)
            result.append(("\(folder)/\(file.name).jsonl", file.count))
        }
        if !speech.isEmpty {
            try speech.write(to: URL(fileURLWithPath: "\(folder)/speech.jsonl"), options: .atomic)
            result.append(("\(folder)/speech.jsonl", speech.count { $0 == UInt8(ascii: "\n") }))
        }
        return result
    }
}
