// Who answers the items: an open Lyra.
import Foundation
import Lyra
import LyraMedia
import LyraModel

/// What came back for an item.
public struct ItemResponse: Sendable {
    /// One for each turn.
    public var replies: [String]
    public var finishReason: String?
    public var adapter: String?
    public var timings: Timings?
    public var usage: Usage?
    public var evidence: EvidenceDigest?
    public var sound: [Float] = []
    public var sampleRate = 16_000

    public init(replies: [String]) { self.replies = replies }
}

/// Answers items.
public protocol Responder: Sendable {
    func respond(to item: EvaluationItem) async throws -> ItemResponse
    /// What is heard in a recording; nil if it cannot say.
    func transcribe(_ path: String) async throws -> String?
}

/// A model under evaluation.
public struct LyraResponder: Responder {
    public let lyra: Lyra
    /// Of every reply; length, speech and the extractor's absence are the item's to say.
    public var options: ReplyOptions
    /// Takes precedence over the items'.
    public var maximumTokens: Int?

    /// The release's instruction for speech recognition. It stands on a line of its own after an empty one.
    public static let transcription = "\nRecord the spoken words as text."

    public init(_ lyra: Lyra, options: ReplyOptions = ReplyOptions(), maximumTokens: Int? = nil) {
        (self.lyra, self.options, self.maximumTokens) = (lyra, options, maximumTokens)
        self.options.endsRepetition = true
    }

    public func respond(to item: EvaluationItem) async throws -> ItemResponse {
        let conversation = lyra.conversation()
        var options = options
        options.maximumTokens = maximumTokens ?? item.maximumTokens
        if !item.extracts { options.extractor = nil }
        for (said, answer) in item.history {
            try await conversation.add(try said.map(Self.part), answer: answer, options: options)
        }
        var response = ItemResponse(replies: []), fact = item.fact
        for (place, turn) in item.turns.enumerated() {
            let isLast = place == item.turns.count - 1
            options.speaks = item.speaks && isLast
            options.explainsAnswer = fact != nil
            let parts = try turn.map { piece -> Part in
                guard case .sound(_, let make) = piece else { return try Self.part(piece) }
                let made = try make()
                fact = made.fact
                return .samples(made.samples)
            }
            let (reply, evidence) = try await reply(conversation, parts, options, into: &response)
            response.replies.append(reply.text.trimmingCharacters(in: .whitespacesAndNewlines))
            if let evidence {
                let seconds = reply.usage.speechSeconds
                response.evidence = EvidenceDigest(evidence, speechSeconds: seconds > 0 ? seconds : .infinity, fact: fact)
            }
            guard isLast else { continue }
            (response.finishReason, response.adapter) = (reply.finishReason.rawValue, reply.adapter?.rawValue ?? "off")
            (response.timings, response.usage) = (reply.timings, reply.usage)
        }
        return response
    }

    private func reply(
        _ conversation: Conversation, _ parts: [Part], _ options: ReplyOptions, into response: inout ItemResponse
    ) async throws -> (Reply, Evidence?) {
        var evidence: Evidence?
        for try await event in conversation.reply(to: parts, options: options) {
            switch event {
            case .audio(let chunk):
                response.sound += chunk.samples
                response.sampleRate = chunk.sampleRate
            case .evidence(let found): evidence = found
            case .done(let reply): return (reply, evidence)
            case .text, .progress: continue
            }
        }
        throw CancellationError()
    }

    private static func part(_ piece: EvaluationItem.Piece) throws -> Part {
        switch piece {
        case .text(let text): .text(text)
        case .image(let path): .image(.file(path))
        case .video(let path): .video(.file(path))
        case .speech(let path): .speech(.file(path))
        case .sound(_, let make): .samples(try make().samples)
        }
    }

    public func transcribe(_ path: String) async throws -> String? {
        var options = options
        (options.maximumTokens, options.extractor, options.speaks) = (256, nil, false)
        let reply = try await lyra.conversation().respond(
            to: [.speech(.file(path)), .text(Self.transcription)], options: options)
        return reply.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
