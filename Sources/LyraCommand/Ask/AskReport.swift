// A reply as one JSON object.
import Foundation
import Lyra
import LyraModel

/// What `lyra ask --json` prints; keys in snake case.
struct AskReport: Encodable {
    var text: String
    var tokenIds: [Int32]
    var finishReason: Reply.FinishReason
    var usage: Usage
    var timings: Timings
    /// Seconds the model took to load.
    var loadSeconds: Double
    var adapter: String
    var precision: Precision
    var model: String
    var extractor: ExtractorOptions?
    var units: [Int32]?
    var speechFile: String?
    var evidenceFile: String?
    /// Seconds of the recording that the answer attended to most.
    var heard: Stretch?
    var traceFile: String?

    struct Stretch: Encodable {
        var start, end: Double
    }

    init(_ reply: Reply, lyra: Lyra, options: ReplyOptions, loadSeconds: Double) {
        text = reply.text
        tokenIds = reply.tokenIDs
        finishReason = reply.finishReason
        usage = reply.usage
        timings = reply.timings
        self.loadSeconds = loadSeconds
        adapter = reply.adapter?.rawValue ?? "off"
        precision = lyra.precision
        model = lyra.location.model
        extractor = options.extractor
        units = reply.units
    }

    func json() throws -> String { try JSONText.encode(self) }
}

/// JSON as this command prints it.
enum JSONText {
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
