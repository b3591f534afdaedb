// What a realtime conversation consists of.
import Foundation
import Lyra
import LyraMedia

/// One message of a realtime conversation.
struct RealtimeItem: Sendable {
    enum Role: String, Sendable { case system, user, assistant }
    /// One part of its content, as it is told to the client and as the model takes it.
    struct Content: Sendable {
        var body: JSONValue
        var part: Part
    }

    var id: String
    var role: Role
    var content: [Content] = []
    /// Of an assistant's item: its words, without those that were not heard.
    var answer = ""
    /// Of a spoken reply: how much sound there was for how much text, to find what was heard by a moment.
    var spokenSeconds = 0.0
    var isSpoken = false
    var status = "completed"

    var body: JSONValue {
        let content: [JSONValue] =
            switch role {
            case .assistant:
                answer.isEmpty && status == "in_progress"
                    ? [] : [isSpoken ? ["type": "output_audio", "transcript": .text(answer)] : ["type": "output_text", "text": .text(answer)]]
            case .system, .user: self.content.map(\.body)
            }
        return [
            "id": .text(id), "object": "realtime.item", "type": "message", "status": .text(status), "role": .text(role.rawValue),
            "content": .list(content),
        ]
    }

    /// Cuts the answer where the listener stopped hearing it. Speech and text advance together closely enough that the share of
    /// the sound is the share of the words.
    mutating func truncate(after seconds: Double) {
        status = "incomplete"
        guard spokenSeconds > 0, seconds < spokenSeconds else { return }
        let count = Int((Double(answer.count) * max(0, seconds) / spokenSeconds).rounded(.down))
        var heard = answer.prefix(count)
        // A word that was only begun was not heard.
        if count < answer.count, answer[heard.endIndex] != " ", let space = heard.lastIndex(of: " ") { heard = heard[..<space] }
        answer = String(heard)
        spokenSeconds = seconds
    }

    /// An item as a client sends it.
    init(_ body: JSONValue, media: MediaResolver) async throws {
        guard body["type"]?.text ?? "message" == "message" else {
            throw APIError.invalid("Only messages can be items.", param: "item.type", code: "invalid_value")
        }
        guard let role = body["role"]?.text.flatMap(Role.init) else {
            throw APIError.invalid("'item.role' is system, user or assistant.", param: "item.role", code: "invalid_value")
        }
        id = body["id"]?.text ?? Names.new("item")
        guard id.utf8.count <= 64 else { throw APIError.invalid("'item.id' is longer than 64 bytes.", param: "item.id", code: "invalid_value") }
        self.role = role
        for (index, part) in (body["content"]?.list ?? []).enumerated() {
            let place = "item.content[\(index)]"
            switch part["type"]?.text {
            case "input_text", "text", "output_text":
                guard let text = part["text"]?.text else {
                    throw APIError.invalid("Missing required parameter: '\(place).text'.", param: "\(place).text", code: "missing_required_parameter")
                }
                if role == .assistant { answer += text }
                content.append(Content(body: ["type": "input_text", "text": .text(text)], part: .text(text)))
            case "input_image":
                let address = part["image_url"]?.text ?? ""
                let resolved = try await media.part(PartBody(imageURL: address), place: place)
                content.append(Content(body: ["type": "input_image"], part: resolved))
            case "input_audio":
                // Raw samples, as in the input buffer.
                let bytes = try Base64.decode(part["audio"]?.text ?? "", "\(place).audio")
                var resampler = Resampler(from: RealtimeSettings.rate, to: 16_000)
                let samples = resampler.append(PCM.samples(bytes)) + resampler.finish()
                content.append(Content(body: ["type": "input_audio", "transcript": nil], part: .samples(samples)))
            default:
                throw APIError.invalid(
                    "'\(place).type' is input_text, input_image or input_audio.", param: "\(place).type", code: "invalid_value")
            }
        }
        guard !content.isEmpty else {
            throw APIError.invalid("The item has no content.", param: "item.content", code: "missing_required_parameter")
        }
    }

    /// What was said into the input buffer.
    init(id: String, recording: Recording) {
        (self.id, role) = (id, .user)
        content = [Content(body: ["type": "input_audio", "transcript": nil], part: .recording(recording))]
    }

    /// A reply that is being made.
    init(replyNamed id: String, isSpoken: Bool) {
        (self.id, role, self.isSpoken, status) = (id, .assistant, isSpoken, "in_progress")
    }
}

extension PartBody {
    init(imageURL: String) {
        self.init(type: "image_url", imageUrl: Address(url: imageURL))
    }
}

/// 16-bit samples, little-endian.
enum PCM {
    static func samples(_ bytes: [UInt8]) -> [Float] {
        (0..<(bytes.count / 2)).map { Float(Int16(bitPattern: UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8)) / 32_768 }
    }

    static func bytes(_ samples: [Float]) -> [UInt8] {
        samples.flatMap { sample -> [UInt8] in
            let value = UInt16(bitPattern: Int16(max(-32_768, min(32_767, (sample.isFinite ? sample : 0) * 32_768))))
            return [UInt8(value & 0xFF), UInt8(value >> 8)]
        }
    }
}
