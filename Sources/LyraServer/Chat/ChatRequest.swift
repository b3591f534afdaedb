// The body of a chat completion, as it is sent.
import Foundation
import Lyra
import LyraModel

struct ChatRequest: Decodable, Sendable {
    var model: String
    var messages: [ChatMessageBody]
    var stream: Bool?
    var streamOptions: StreamOptions?
    var modalities: [String]?
    var audio: AudioChoice?
    var temperature: Double?
    var topP: Double?
    var topK: Int?
    var seed: Int64?
    var stop: StopTexts?
    var maxTokens: Int?
    var maxCompletionTokens: Int?
    var n: Int?
    var logprobs: Bool?
    var presencePenalty: Double?
    var frequencyPenalty: Double?
    var tools: [Ignored]?
    var responseFormat: ResponseFormat?
    /// What this server knows beyond OpenAI's interface.
    var lyra: Extension?

    struct StreamOptions: Decodable, Sendable { var includeUsage: Bool? }
    struct AudioChoice: Decodable, Sendable {
        var format: String?
        /// A name or an object; there is one voice.
        var voice: Ignored?
    }
    struct ResponseFormat: Decodable, Sendable { var type: String }

    struct Extension: Decodable, Sendable {
        var extract: Extract?
        /// Whether the reply tells which pieces of the media it rests on.
        var evidence: Bool?
        /// Whether a stream tells how far the work before the first token is.
        var progress: Bool?
        var adapter: String?
        var maxFrames: Int?

        struct Extract: Decodable, Sendable {
            /// Blocks the layers are split into.
            var blocks: Int
            /// Share of context tokens that goes on after each block.
            var keepRate: Double
        }
    }

    /// A text or a list of them.
    struct StopTexts: Decodable, Sendable {
        var texts: [String]
        init(from decoder: any Swift.Decoder) throws {
            let value = try decoder.singleValueContainer()
            texts = try (try? [value.decode(String.self)]) ?? value.decode([String].self)
        }
    }

    /// Something that may be there, whatever it is.
    struct Ignored: Decodable, Sendable {
        init(from decoder: any Swift.Decoder) throws {}
    }
}

struct ChatMessageBody: Decodable, Sendable {
    var role: String
    var content: Content?
    /// Names a spoken reply of before, in place of its content.
    var audio: AudioReference?

    struct AudioReference: Decodable, Sendable { var id: String }

    enum Content: Decodable, Sendable {
        case text(String)
        case parts([PartBody])

        init(from decoder: any Swift.Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self = .text(text)
            } else {
                self = .parts(try value.decode([PartBody].self))
            }
        }
    }
}

/// One part of a message's content.
struct PartBody: Decodable, Sendable {
    var type: String
    var text: String?
    var refusal: String?
    var imageUrl: Address?
    var videoUrl: Address?
    var audioUrl: Address?
    var inputAudio: InputAudio?
    var file: FileReference?

    /// `{"url": …}`, or the address itself.
    struct Address: Decodable, Sendable {
        var url: String
        init(url: String) { self.url = url }
        init(from decoder: any Swift.Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                url = text
            } else {
                url = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .url)
            }
        }
        enum CodingKeys: CodingKey { case url }
    }
    struct InputAudio: Decodable, Sendable {
        /// Base64.
        var data: String
        var format: String?
    }
    struct FileReference: Decodable, Sendable {
        var fileId: String?
        var fileData: String?
    }
}

extension ChatRequest {
    /// What the reply is to be like.
    /// - Throws: `APIError` for values out of range and for what this server cannot do.
    func replyOptions(_ server: ServerOptions, layers: Int) throws -> ReplyOptions {
        guard n ?? 1 == 1 else { throw APIError.unsupported("More than one choice (n = \(n ?? 0))", param: "n") }
        guard logprobs != true else { throw APIError.unsupported("logprobs", param: "logprobs") }
        guard tools?.isEmpty ?? true else { throw APIError.unsupported("Calling of tools", param: "tools") }
        guard (presencePenalty ?? 0) == 0 else { throw APIError.unsupported("presence_penalty", param: "presence_penalty") }
        guard (frequencyPenalty ?? 0) == 0 else { throw APIError.unsupported("frequency_penalty", param: "frequency_penalty") }
        guard (responseFormat?.type ?? "text") == "text" else {
            throw APIError.unsupported("The response format '\(responseFormat?.type ?? "")'", param: "response_format")
        }
        var options = ReplyOptions()
        options.maximumTokens = try Self.tokens(
            maxCompletionTokens ?? maxTokens, server, param: maxCompletionTokens == nil ? "max_tokens" : "max_completion_tokens")
        options.sampling = try Sampling(temperature: temperature, topP: topP, topK: topK, seed: seed).options()
        options.stop = stop?.texts ?? []
        guard options.stop.count <= 16, options.stop.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 1_024 }) else {
            throw APIError.invalid("'stop' takes up to 16 texts of 1 to 1,024 bytes.", param: "stop", code: "invalid_value")
        }
        if let extract = lyra?.extract {
            guard (2...64).contains(extract.blocks), extract.keepRate > 0, extract.keepRate <= 1 else {
                throw APIError.invalid(
                    "'lyra.extract' takes 2 to 64 blocks and a keep_rate above 0, at most 1.", param: "lyra.extract", code: "invalid_value")
            }
            options.extractor = ExtractorOptions(blocks: extract.blocks, keepRate: Float(extract.keepRate), layers: layers)
            options.explainsAnswer = lyra?.evidence ?? false
        }
        if let name = lyra?.adapter {
            guard let adapter = AdapterChoice(rawValue: name) else {
                throw APIError.invalid(
                    "'lyra.adapter' is one of \(AdapterChoice.allCases.map(\.rawValue).joined(separator: ", ")).", param: "lyra.adapter",
                    code: "invalid_value")
            }
            options.adapter = adapter
        }
        if let frames = lyra?.maxFrames {
            guard (1...256).contains(frames) else {
                throw APIError.invalid("'lyra.max_frames' is 1 to 256.", param: "lyra.max_frames", code: "invalid_value")
            }
            options.maximumFrames = frames
        }
        return options
    }

    static func tokens(_ asked: Int?, _ server: ServerOptions, param: String) throws -> Int {
        guard asked ?? 1 >= 1 else { throw APIError.invalid("'\(param)' is at least 1.", param: param, code: "invalid_value") }
        return min(asked ?? server.defaultTokens, server.maximumTokens)
    }

    /// The format of the spoken reply; nil for a silent one.
    func spokenFormat() throws -> SpokenFormat? {
        let modalities = modalities ?? ["text"]
        for name in modalities where name != "text" && name != "audio" {
            throw APIError.invalid("'modalities' knows text and audio, not '\(name)'.", param: "modalities", code: "invalid_value")
        }
        guard modalities.contains("audio") else { return nil }
        guard let audio else {
            throw APIError.invalid(
                "A spoken reply needs 'audio': {\"format\": …, \"voice\": …}.", param: "audio", code: "missing_required_parameter")
        }
        return try SpokenFormat(name: audio.format ?? "wav", param: "audio.format")
    }
}

/// How tokens are drawn, in OpenAI's terms.
struct Sampling {
    var temperature: Double?
    var topP: Double?
    var topK: Int?
    var seed: Int64?

    /// Without a temperature the likeliest token is taken, which is what these models are measured with.
    func options() throws -> SamplingOptions {
        let temperature = temperature ?? 0, topP = topP ?? 1, topK = topK ?? 0
        guard (0...2).contains(temperature) else {
            throw APIError.invalid("'temperature' is 0 to 2, not \(temperature).", param: "temperature", code: "invalid_value")
        }
        guard topP > 0, topP <= 1 else {
            throw APIError.invalid("'top_p' is above 0 and at most 1, not \(topP).", param: "top_p", code: "invalid_value")
        }
        guard (0...1_000_000).contains(topK) else { throw APIError.invalid("'top_k' is 0 or more.", param: "top_k", code: "invalid_value") }
        return SamplingOptions(
            temperature: Float(temperature), topK: topK, topP: Float(topP),
            seed: seed.map { UInt64(bitPattern: $0) } ?? UInt64.random(in: .min ... .max))
    }
}
