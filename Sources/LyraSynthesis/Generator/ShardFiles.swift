// A shard on disk, and how shards become data files.
import Foundation

/// Lines of one shard: `OUT/train/.shards/spoken-0012-200.jsonl`, named by the shard's number and its items, and beside it its
/// utterances. Written last, so that its being there says that the shard's media are.
struct ShardFiles {
    private let folder, lines, utterances: String

    init(_ folder: String, _ split: Split, _ file: DataFile, _ number: Int) {
        self.folder = "\(folder)/\(split)/.shards"
        let items = min(file.shardSize, file.count - number * file.shardSize)
        let name = "\(file.name)-\(String(format: "%04d", number))-\(items).jsonl"
        (lines, utterances) = ("\(self.folder)/\(name)", "\(self.folder)/speech-\(name)")
    }

    var isComplete: Bool { access(lines, F_OK) == 0 }

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

    /// Writes a split's data files from its shards, and, where these are all files, `speech.jsonl` with the utterances of all.
    /// - Returns: paths with numbers of lines.
    static func join(_ folder: String, _ split: Split, _ files: [DataFile], areAll: Bool) throws -> [(path: String, count: Int)] {
        var result: [(path: String, count: Int)] = []
        var speech = Data()
        func write(_ data: Data, _ name: String) throws {
            let path = "\(folder)/\(split)/\(name).jsonl"
            try data.write(to: URL(fileURLWithPath: path), options: .atomic)
            result.append((path, data.count { $0 == UInt8(ascii: "\n") }))
        }
        for file in files {
            var data = Data(), utterances = Data()
            for number in 0..<file.shardCount {
                let shard = ShardFiles(folder, split, file, number)
                data += try Data(contentsOf: URL(fileURLWithPath: shard.lines))
                utterances += FileManager.default.contents(atPath: shard.utterances) ?? Data()
            }
            try write(data, file.name)
            if let name = file.answersFile { try write(utterances, name) }
            speech += utterances
        }
        if areAll, !speech.isEmpty { try write(speech, "speech") }
        return result
    }
}
