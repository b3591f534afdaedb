// A conversation as it is saved.
import Foundation
import Lyra

struct ChatTranscript: Encodable {
    struct Medium: Encodable, Equatable {
        var kind: String
        var file: String
    }
    struct Turn: Encodable {
        var media: [Medium]
        var user: String
        var assistant: String
        var finishReason: Reply.FinishReason
        var usage: Usage
        var timings: Timings
        var speechFile: String?
    }

    var system: String?
    private(set) var turns: [Turn] = []

    init(system: String? = nil) { self.system = system }

    mutating func add(media: [MediumArgument], text: String, reply: Reply, speechFile: String?) {
        turns.append(
            Turn(
                media: media.map { Medium(kind: $0.kind.rawValue, file: $0.path) }, user: text, assistant: reply.text,
                finishReason: reply.finishReason, usage: reply.usage, timings: reply.timings, speechFile: speechFile))
    }

    /// JSON for names that end in .json, else text to read.
    func data(for path: String) throws -> Data {
        Data((path.lowercased().hasSuffix(".json") ? try JSONText.encode(self) + "\n" : text).utf8)
    }

    private var text: String {
        var lines: [String] = []
        if let system { lines += ["System: \(system)", ""] }
        for turn in turns {
            lines += turn.media.map { "[\($0.kind): \($0.file)]" }
            if !turn.user.isEmpty { lines.append("You: \(turn.user)") }
            lines += ["Lyra: \(turn.assistant)", ""]
        }
        return lines.joined(separator: "\n")
    }
}
