// One item of a data file, as it is written there: paths and text, nothing decoded or tokenised.
import Foundation
import LyraText

/// An item of a data file.
public struct Example: Sendable, Equatable {
    public struct Turn: Sendable, Equatable {
        public var role: ChatMessage.Role
        public var text: String
        public init(_ role: ChatMessage.Role, _ text: String) { (self.role, self.text) = (role, text) }
    }

    public var id: String?
    /// Paths as written.
    public var images: [String] = []
    public var videos: [String] = []
    public var speeches: [String] = []
    /// One for each speech, or none at all.
    public var transcripts: [String?] = []
    /// Units of the spoken form of the last answer, without repeats.
    public var units: [Int32]?
    public var turns: [Turn]
    /// For each answer, seconds of the first recording in which what it says is stated; or none at all.
    public var evidence: [[ClosedRange<Double>]] = []
    /// Whether every question is asked by itself, as if the others had not been: all media stand in the first one. See
    /// ``DataSource/independentTurns``.
    public var hasIndependentTurns = false

    public init(
        id: String? = nil, images: [String] = [], videos: [String] = [], speeches: [String] = [], transcripts: [String?] = [],
        units: [Int32]? = nil, turns: [Turn]
    ) {
        (self.id, self.images, self.videos, self.speeches) = (id, images, videos, speeches)
        (self.transcripts, self.units, self.turns) = (transcripts, units, turns)
    }
}

extension Example {
    /// Reads an item. Keys it does not know are passed over.
    /// - Throws: `SampleFault`, or the reader's failure.
    init(_ reader: inout JSONReader, _ bytes: [UInt8]) throws {
        self.init(turns: [])
        guard reader.peek() == UInt8(ascii: "{") else { throw SampleFault(.notJSON, "it is not an object") }
        var seen: Set<String> = []
        var transcript: Transcript?, turns: [Turn]?
        try reader.object { reader, key in
            let key = String(decoding: key, as: UTF8.self)
            guard Self.keys.contains(key) else { return try reader.skip() }
            guard seen.insert(key).inserted else { throw SampleFault(.wrongKey, key: key, "it is there twice") }
            if try reader.literal("null") { return }
            switch key {
            case "id": id = try Self.identifier(&reader, bytes)
            case "image": images = try Self.paths(&reader, key)
            case "video": videos = try Self.paths(&reader, key)
            case "speech", "long_speech":
                guard speeches.isEmpty else {
                    throw SampleFault(.wrongKey, key: key, "it stands beside the other key for speech; use one list")
                }
                speeches = try Self.paths(&reader, key)
            case "speech_asr": transcript = try Self.transcripts(&reader)
            case "units", "tgt_unit":
                guard units == nil else { throw SampleFault(.wrongKey, key: key, "units are given under two keys") }
                units = try UnitList.read(&reader, key: key)
            case "evidence": evidence = try Self.evidence(&reader)
            default: turns = try Self.conversation(&reader)
            }
        }
        guard let turns else { throw SampleFault(.wrongKey, key: "conversations", "it is missing") }
        self.turns = turns
        switch transcript {
        case nil: break
        case .one(let text)?:
            guard speeches.count == 1 else {
                throw SampleFault(
                    .wrongKey, key: "speech_asr", "one transcript for \(speeches.count) recordings; give a list of as many")
            }
            transcripts = [text]
        case .several(let texts)?:
            guard texts.count == speeches.count else {
                throw SampleFault(.wrongKey, key: "speech_asr", "\(texts.count) transcripts for \(speeches.count) recordings")
            }
            transcripts = texts
        }
    }

    private static let keys: Set<String> = [
        "id", "image", "video", "speech", "long_speech", "speech_asr", "units", "tgt_unit", "evidence", "conversations",
    ]

    private enum Transcript { case one(String), several([String?]) }

    private static func identifier(_ reader: inout JSONReader, _ bytes: [UInt8]) throws -> String {
        switch reader.peek() {
        case UInt8(ascii: "\"")?: return try reader.text()
        case UInt8(ascii: "-")?, (48...57)?:
            let start = reader.position
            try reader.skip()
            return String(decoding: bytes[start..<reader.position], as: UTF8.self)
        default: throw SampleFault(.wrongKey, key: "id", "expected text or a number")
        }
    }

    /// A path or a list of paths.
    private static func paths(_ reader: inout JSONReader, _ key: String) throws -> [String] {
        var paths: [String] = []
        func path(_ reader: inout JSONReader) throws {
            guard reader.peek() == UInt8(ascii: "\"") else {
                throw SampleFault(.wrongKey, key: key, "expected a path or a list of paths")
            }
            let path = try reader.text()
            guard !path.isEmpty, !path.contains("\0") else { throw SampleFault(.wrongKey, key: key, "a path is empty") }
            paths.append(path)
        }
        if reader.peek() == UInt8(ascii: "[") { try reader.array(path) } else { try path(&reader) }
        return paths
    }

    private static func transcripts(_ reader: inout JSONReader) throws -> Transcript {
        func text(_ reader: inout JSONReader) throws -> String {
            guard reader.peek() == UInt8(ascii: "\"") else {
                throw SampleFault(.wrongKey, key: "speech_asr", "expected a transcript or a list of transcripts")
            }
            return try reader.text()
        }
        guard reader.peek() == UInt8(ascii: "[") else { return .one(try text(&reader)) }
        var texts: [String?] = []
        try reader.array { texts.append(try $0.literal("null") ? nil : try text(&$0)) }
        return .several(texts)
    }

    private static func evidence(_ reader: inout JSONReader) throws -> [[ClosedRange<Double>]] {
        func list(_ reader: inout JSONReader, _ item: (inout JSONReader) throws -> Void) throws {
            guard reader.peek() == UInt8(ascii: "[") else {
                throw SampleFault(.wrongKey, key: "evidence", "expected for each answer a list of [start, end] in seconds")
            }
            try reader.array(item)
        }
        var answers: [[ClosedRange<Double>]] = []
        try list(&reader) { reader in
            var stretches: [ClosedRange<Double>] = []
            try list(&reader) { reader in
                var times: [Double] = []
                try list(&reader) { reader in
                    guard let next = reader.peek(), "-0123456789".utf8.contains(next) else {
                        throw SampleFault(.wrongKey, key: "evidence[\(answers.count)]", "expected [start, end] in seconds")
                    }
                    times.append(try reader.number())
                }
                guard times.count == 2, times[0] >= 0, times[0] <= times[1], times[1] < 1e7 else {
                    throw SampleFault(.wrongKey, key: "evidence[\(answers.count)]", "expected [start, end] in seconds, the start first")
                }
                stretches.append(times[0]...times[1])
            }
            answers.append(stretches)
        }
        return answers
    }

    private static func conversation(_ reader: inout JSONReader) throws -> [Turn] {
        guard reader.peek() == UInt8(ascii: "[") else {
            throw SampleFault(.wrongKey, key: "conversations", "expected a list of {from, value}")
        }
        var turns: [Turn] = []
        try reader.array { reader in
            let place = "conversations[\(turns.count)]"
            guard reader.peek() == UInt8(ascii: "{") else {
                throw SampleFault(.wrongKey, key: place, "expected an object {from, value}")
            }
            var role: ChatMessage.Role?, text: String?
            try reader.object { reader, key in
                let key = String(decoding: key, as: UTF8.self)
                guard key == "from" || key == "value" else { return try reader.skip() }
                guard reader.peek() == UInt8(ascii: "\"") else {
                    throw SampleFault(.wrongKey, key: "\(place).\(key)", "expected text")
                }
                guard key == "from" ? role == nil : text == nil else {
                    throw SampleFault(.wrongKey, key: "\(place).\(key)", "it is there twice")
                }
                let value = try reader.text()
                guard key == "from" else { text = value; return }
                switch value {
                case "human", "user": role = .user
                case "gpt", "assistant": role = .assistant
                case "system": role = .system
                default:
                    throw SampleFault(.wrongKey, key: "\(place).from", "it is '\(value)', expected human, gpt or system")
                }
            }
            guard let role else { throw SampleFault(.wrongKey, key: "\(place).from", "it is missing") }
            guard let text else { throw SampleFault(.wrongKey, key: "\(place).value", "it is missing") }
            turns.append(Turn(role, text))
        }
        return turns
    }
}
