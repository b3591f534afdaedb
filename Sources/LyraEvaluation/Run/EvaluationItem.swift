// One question of a benchmark, as it is put to a model, and what the model replied.
import Foundation
import Lyra

/// A question of a benchmark.
public struct EvaluationItem: Sendable {
    /// A piece of what is said to the model. Paths are of files.
    public enum Piece: Sendable {
        case text(String)
        case image(String)
        case video(String)
        case speech(String)
        /// A recording that is put together when its turn comes: 16 kHz mono, and where the asked fact is in it. `name` is for
        /// people.
        case sound(name: String, @Sendable () throws -> (samples: [Float], fact: ClosedRange<Double>?))
    }

    /// Unique in its benchmark.
    public var id: String
    /// Exchanges that come before, with the answers given.
    public var history: [(said: [Piece], answer: String)] = []
    /// What is said, turn by turn; the reply to the last is scored.
    public var turns: [[Piece]]
    /// The question in words, for people.
    public var question: String
    /// Accepted answers, or the letter of the right option.
    public var truth: [String]
    /// Of a multiple choice.
    public var options: [String] = []
    /// What kind of question it is; results are also shown for each value of each.
    public var slices: [String: String] = [:]
    /// Items that belong together are taken or left out together, and drawn together for confidence intervals.
    public var group: String?
    /// Most tokens of each reply.
    public var maximumTokens = 128
    /// Whether the reply is spoken, and what is heard of it scored.
    public var speaks = false
    /// false: without the extractor, whatever the run says.
    public var extracts = true
    /// Where in the recording the asked fact is stated, in seconds.
    public var fact: ClosedRange<Double>?
    /// Why it cannot be asked, for a line of a data set that cannot be read.
    public var fault: String?

    public init(id: String, turns: [[Piece]], question: String, truth: [String]) {
        (self.id, self.turns, self.question, self.truth) = (id, turns, question, truth)
    }

    /// An item that cannot be asked.
    static func unusable(_ id: String, _ reason: String) -> EvaluationItem {
        var item = EvaluationItem(id: id, turns: [], question: "", truth: [])
        item.fault = reason
        return item
    }

    /// Files it is about, in order.
    var media: [ItemRecord.Medium] {
        (history.flatMap(\.said) + turns.joined()).compactMap { piece in
            switch piece {
            case .text: nil
            case .image(let path): .init(kind: .image, path: path)
            case .video(let path): .init(kind: .video, path: path)
            case .speech(let path): .init(kind: .speech, path: path)
            case .sound(let name, _): .init(kind: .made, path: name)
            }
        }
    }
}

/// What became of an item. A line of `items.jsonl`.
public struct ItemRecord: Codable, Sendable {
    public struct Medium: Codable, Sendable, Equatable {
        public enum Kind: String, Codable, Sendable { case image, video, speech, made }
        public var kind: Kind
        public var path: String
    }

    /// Place in the benchmark.
    public var index: Int
    public var id: String
    public var question: String
    public var media: [Medium]
    public var truth: [String]
    public var options: [String]?
    /// The reply that is scored.
    public var answer: String = ""
    /// Replies to earlier turns.
    public var earlier: [String]?
    /// 0...1, more is better; nil where nothing can be said yet (no truth, or no judge).
    public var score: Double?
    /// Numbers that the benchmark's metrics add up, such as errors and words.
    public var counts: [String: Double] = [:]
    public var slices: [String: String]
    public var group: String?
    /// Why it could not be asked or answered. Such items do not count.
    public var error: String?
    public var finishReason: String?
    public var adapter: String?
    public var timings: Timings?
    public var usage: Usage?
    public var evidence: EvidenceDigest?
    /// Sound of the reply, relative to the run's folder, and what was heard of it.
    public var spoken: String?
    public var heard: [String: String]?
    /// Most memory of the process so far, in bytes.
    public var peakMemory: Int?

    init(_ item: EvaluationItem, index: Int) {
        (self.index, id, question, media, truth) = (index, item.id, item.question, item.media, item.truth)
        options = item.options.isEmpty ? nil : item.options
        (slices, group) = (item.slices, item.group)
    }
}

/// A score of one item.
public struct ItemScore: Sendable, Equatable {
    public var score: Double?
    public var counts: [String: Double]

    public init(_ score: Double?, counts: [String: Double] = [:]) { (self.score, self.counts) = (score, counts) }
}
