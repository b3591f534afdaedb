// Chat completions as they are sent back, whole and in chunks.
import Foundation
import Lyra
import LyraModel

struct ChatCompletion: Encodable {
    var id: String
    var object = "chat.completion"
    var created: Int
    var model: String
    var choices: [Choice]
    var usage: UsageBody
    var lyra: Extra?

    struct Choice: Encodable {
        var index = 0
        var message: Message
        var finishReason: String
    }
    struct Message: Encodable {
        var role = "assistant"
        var content: String
        var audio: Audio?
    }
    struct Audio: Encodable {
        var id: String
        var data: String
        var expiresAt: Int
        var transcript: String
    }
}

struct ChatChunk: Encodable {
    var id: String
    var object = "chat.completion.chunk"
    var created: Int
    var model: String
    var choices: [Choice]
    var usage: UsageBody?
    var lyra: Extra?

    struct Choice: Encodable {
        var index = 0
        var delta: Delta
        var finishReason: String?
    }
    struct Delta: Encodable {
        var role: String?
        var content: String?
        var audio: Audio?
    }
    struct Audio: Encodable {
        var id: String
        var data: String?
        var transcript: String?
        var expiresAt: Int?
    }
}

/// What this server tells beyond OpenAI's interface.
struct Extra: Encodable {
    var evidence: Evidence?
    var progress: Progress?
    var timings: Timings?
    var adapter: String?

    struct Progress: Encodable {
        var stage: Stage
        var fraction: Double
    }
}

struct UsageBody: Encodable, Sendable {
    var promptTokens: Int
    var completionTokens: Int
    var totalTokens: Int
    var promptTokensDetails: PromptDetails
    var completionTokensDetails: CompletionDetails

    struct PromptDetails: Encodable, Sendable {
        var cachedTokens: Int
        var audioTokens: Int
        var imageTokens: Int
    }
    struct CompletionDetails: Encodable, Sendable {
        var textTokens: Int
        var reasoningTokens = 0
        /// Speech units of the spoken reply; they are not part of the sum.
        var audioTokens: Int
    }

    init(_ reply: Reply) {
        let usage = reply.usage
        promptTokens = usage.promptTokens
        completionTokens = usage.completionTokens
        totalTokens = usage.promptTokens + usage.completionTokens
        promptTokensDetails = .init(cachedTokens: usage.cachedTokens, audioTokens: usage.speechTokens, imageTokens: usage.visionTokens)
        completionTokensDetails = .init(textTokens: usage.completionTokens, audioTokens: reply.units?.count ?? 0)
    }
}
