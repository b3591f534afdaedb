// Conversations as prompts: Qwen2's ChatML with the release's way of naming pictures and speech.

/// A conversation as the model reads it.
public struct EncodedPrompt: Sendable, Equatable {
    /// Where a medium's embeddings go.
    public struct Slot: Sendable, Equatable {
        public var medium: Medium
        /// Index of the placeholder in ``EncodedPrompt/ids``.
        public var position: Int
    }

    /// Token ids, with ``Placeholder`` ids where media go.
    public var ids: [Int32]
    /// The media in order.
    public var slots: [Slot]
    /// What training supervises: each answer with the `<|im_end|>` that ends it, as ranges of ``ids``.
    public var supervised: [Range<Int>]
}

/// Writes conversations in ChatML:
///
///     <|im_start|>system
///     You are a helpful assistant.<|im_end|>
///     <|im_start|>user
///     <speech>
///     Describe the picture <|vision_start|><image><|vision_end|><|im_end|>
///     <|im_start|>assistant
///
/// Prompts are assembled from typed parts. Text never turns into a control token or a placeholder, whatever it says.
public struct ChatTemplate: Sendable, Hashable {
    public enum Style: Sendable, Hashable {
        /// Media and text in the order given, any number of each. A picture or video is set between vision markers; a
        /// speech is followed by a line break where text follows directly. Gives what ``release`` gives for every
        /// message that the release can express.
        case inOrder
        /// As the release's command line does: the first picture (or else video) comes first; speech beside it replaces
        /// the text; speech alone is followed by a line break and the text. An empty answer is a bare header. The
        /// finished string is then searched for markers and control tokens, so that text can forge both.
        case release
    }

    public var style: Style
    /// Stands before the conversation if that does not begin with a system message; nil for none.
    public var systemPrompt: String?

    public init(style: Style = .inOrder, systemPrompt: String? = "You are a helpful assistant.") {
        self.style = style
        self.systemPrompt = systemPrompt
    }

    /// The conversation as one string, to look at or to compare; ``encode(_:with:addGenerationPrompt:)`` does not go
    /// through it in the style ``Style/inOrder``.
    public func prompt(_ messages: [ChatMessage], addGenerationPrompt: Bool = true) throws -> String {
        try layout(messages, addGenerationPrompt).reduce(into: "") { prompt, segment in
            switch segment.content {
            case .control(let token): prompt += token
            case .text(let text): prompt += text
            case .medium(let medium): prompt += medium == .speech ? "<speech>" : "<image>"
            }
        }
    }

    /// The conversation as token ids.
    /// - Parameter addGenerationPrompt: whether to end with the header of the answer to come.
    /// - Throws: ``TokenizerError`` if the vocabulary lacks a control token or the conversation cannot be written.
    public func encode(
        _ messages: [ChatMessage], with tokenizer: Tokenizer, addGenerationPrompt: Bool = true
    ) throws -> EncodedPrompt {
        let segments = try layout(messages, addGenerationPrompt)
        let typed = try Self.assemble(segments, tokenizer)
        guard style == .release else { return typed }
        let hasPicture = segments.contains { $0.content == .medium(.image) || $0.content == .medium(.video) }
        let reading: PlaceholderTokenizer = hasPicture ? .releaseImageSpeech : .releaseSpeech
        let ids = try reading.encode(prompt(messages, addGenerationPrompt: addGenerationPrompt), with: tokenizer)
        if ids == typed.ids { return typed }
        // The release read something else than was meant. It then supervises nothing, and media go by their ids.
        let slots = ids.enumerated().compactMap { position, id -> EncodedPrompt.Slot? in
            switch id {
            case Placeholder.speech: .init(medium: .speech, position: position)
            case Placeholder.image:
                .init(medium: typed.slots.first { $0.medium != .speech }?.medium ?? .image, position: position)
            default: nil
            }
        }
        return EncodedPrompt(ids: ids, slots: slots, supervised: [])
    }

    // MARK: Layout

    private struct Segment {
        enum Content: Equatable {
            case control(String)
            case text(String)
            case medium(Medium)
        }
        var content: Content
        var isSupervised = false
    }

    private func layout(_ messages: [ChatMessage], _ addGenerationPrompt: Bool) throws -> [Segment] {
        var segments: [Segment] = []
        if let systemPrompt, messages.first?.role != .system {
            segments += try layout(ChatMessage(.system, systemPrompt))
        }
        for message in messages { segments += try layout(message) }
        if addGenerationPrompt { segments += Self.header(.assistant) }
        return segments
    }

    private static func header(_ role: ChatMessage.Role) -> [Segment] {
        [Segment(content: .control("<|im_start|>")), Segment(content: .text(role.rawValue + "\n"))]
    }

    private func layout(_ message: ChatMessage) throws -> [Segment] {
        let isAnswer = message.role == .assistant
        if message.role != .user, message.content.contains(where: { if case .media = $0 { true } else { false } }) {
            throw TokenizerError.unsupportedConversation("only user messages can hold pictures, video or speech")
        }
        if style == .release, isAnswer, message.text.isEmpty { return Self.header(.assistant) }
        let body = style == .release && message.role == .user ? Self.releaseBody(message) : Self.body(message)
        let end = [Segment(content: .control("<|im_end|>"), isSupervised: isAnswer), Segment(content: .text("\n"))]
        return Self.header(message.role) + body.map { Segment(content: $0, isSupervised: isAnswer) } + end
    }

    private static func body(_ message: ChatMessage) -> [Segment.Content] {
        var body: [Segment.Content] = []
        for part in message.content {
            switch part {
            case .text(let text) where text.isEmpty: break
            case .text(let text):
                if body.last == .medium(.speech) { body.append(.text("\n")) }
                body.append(.text(text))
            case .media(.speech): body.append(.medium(.speech))
            case .media(let picture): body += vision(picture)
            }
        }
        return body
    }

    private static func releaseBody(_ message: ChatMessage) -> [Segment.Content] {
        let hasSpeech = message.content.contains(.speech)
        let picture: Medium? = message.content.contains(.image) ? .image : message.content.contains(.video) ? .video : nil
        switch (picture, hasSpeech) {
        case (let picture?, true): return vision(picture) + [.medium(.speech)]
        case (let picture?, false): return vision(picture) + [.text(message.text)]
        case (nil, true): return [.medium(.speech), .text("\n" + message.text)]
        case (nil, false): return [.text(message.text)]
        }
    }

    private static func vision(_ medium: Medium) -> [Segment.Content] {
        [.control("<|vision_start|>"), .medium(medium), .control("<|vision_end|>")]
    }

    // MARK: Ids

    /// Neighbouring text is encoded as one: a token may span the end of a header and the beginning of a question.
    private static func assemble(_ segments: [Segment], _ tokenizer: Tokenizer) throws -> EncodedPrompt {
        var prompt = EncodedPrompt(ids: [], slots: [], supervised: [])
        var text = ""
        var start: Int?  // of the supervised stretch under way
        func flush() {
            if !text.isEmpty { prompt.ids += tokenizer.encode(text, allowSpecial: false) }
            text = ""
        }
        for segment in segments {
            // An answer begins a token, as it does when the model writes it after the header.
            if segment.isSupervised, start == nil {
                flush()
                start = prompt.ids.count
            }
            switch segment.content {
            case .text(let piece): text += piece
            case .control(let token):
                flush()
                prompt.ids.append(try tokenizer.special(token))
            case .medium(let medium):
                flush()
                prompt.slots.append(.init(medium: medium, position: prompt.ids.count))
                prompt.ids.append(Placeholder.id(of: medium))
            }
            if segment.isSupervised, case .control = segment.content, let begun = start {
                prompt.supervised.append(begun..<prompt.ids.count)
                start = nil
            }
        }
        flush()
        return prompt
    }
}
