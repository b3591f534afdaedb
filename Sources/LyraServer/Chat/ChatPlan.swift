// From messages to turns of a conversation: the system prompt, what was said before, and what is to be answered.
import Foundation
import Lyra

struct ChatPlan: Sendable {
    /// nil: the model's own default.
    var system: String?
    var history: [(parts: [Part], answer: String)] = []
    var question: [Part] = []

    /// - Parameters:
    ///   - media: turns part bodies into parts of a turn; refuses what is not allowed.
    ///   - transcript: the words of a spoken reply of before, by its name.
    init(
        _ messages: [ChatMessageBody], media: MediaResolver, transcript: (String) -> String?
    ) async throws {
        var pending: [Part] = [], hasUser = false
        for (index, message) in messages.enumerated() {
            let place = "messages[\(index)]"
            switch message.role {
            case "system", "developer":
                let text = try Self.text(message.content, place)
                system = system.map { $0 + "\n" + text } ?? text
            case "user":
                hasUser = true
                switch message.content {
                case .text(let text): pending.append(.text(text))
                case .parts(let parts):
                    for (number, part) in parts.enumerated() {
                        pending.append(try await media.part(part, place: "\(place).content[\(number)]"))
                    }
                case nil:
                    throw APIError.invalid(
                        "Missing required parameter: '\(place).content'.", param: "\(place).content", code: "missing_required_parameter")
                }
            case "assistant":
                var answer = ""
                if let id = message.audio?.id, let known = transcript(id) {
                    answer = known
                } else {
                    if let id = message.audio?.id, message.content == nil {
                        throw APIError.notFound("No spoken reply '\(id)' is known (any more).", param: "\(place).audio.id", code: "audio_not_found")
                    }
                    answer = try Self.text(message.content, place)
                }
                history.append((pending, answer))
                pending = []
            default:
                throw APIError.invalid(
                    "'\(message.role)' is no role this server knows: system, developer, user, assistant.", param: "\(place).role",
                    code: "invalid_value")
            }
        }
        guard hasUser else { throw APIError.invalid("There is no message of a user to answer.", param: "messages", code: "invalid_value") }
        guard !pending.isEmpty else {
            throw APIError.invalid("The last message has to be the user's.", param: "messages", code: "invalid_value")
        }
        question = pending
    }

    private static func text(_ content: ChatMessageBody.Content?, _ place: String) throws -> String {
        switch content {
        case .text(let text): return text
        case .parts(let parts):
            return try parts.enumerated().map { index, part in
                guard let text = part.text ?? part.refusal else {
                    throw APIError.invalid(
                        "Only text can be here.", param: "\(place).content[\(index)].type", code: "invalid_value")
                }
                return text
            }.joined()
        case nil: return ""
        }
    }
}
