// From an item of a data file to a training sample: token ids and labels by the chat template, media decoded.
import Foundation
import Lyra
import LyraMedia
import LyraModel
import LyraText

/// A conversation as token ids, and the files that stand behind its placeholders.
public struct EncodedText: Sendable, Equatable {
    public enum Medium: Sendable, Equatable {
        case image(String)
        case video(String)
        case speech(String, transcript: [Int32]?)
    }

    /// With placeholder ids where media go.
    public var ids: [Int32]
    public var labels: [Int32]
    /// Where independent turns begin; empty: a conversation.
    public var turns: [Int] = []
    /// In the order of their placeholders.
    public var media: [Medium]
}

extension EncodedText {
    fileprivate init(_ prompt: EncodedPrompt, _ media: [Medium]) {
        var labels = [Int32](repeating: TrainingSample.ignored, count: prompt.ids.count)
        for range in prompt.supervised { labels.replaceSubrange(range, with: prompt.ids[range]) }
        self.init(ids: prompt.ids, labels: labels, media: media)
    }
}

/// Makes training samples.
public struct SampleEncoder: Sendable {
    /// Where the placeholders of a message's pictures and videos go.
    public enum PictureOrder: String, Sendable, Codable, CaseIterable {
        /// A message's only picture or video stands first, wherever the text has its marker, as in the original. Where
        /// there are several, which the original cannot have, each stays where it is.
        case release
        case asWritten = "as_written"
    }

    public struct Settings: Sendable, Equatable, Codable {
        /// Samples of more tokens, media included, are refused; nothing is ever cut off.
        public var maximumTokens: Int?
        /// Most frames taken from a video; as many as requests take.
        public var maximumFrames = 16
        public var pictureOrder = PictureOrder.release
        /// For conversations that do not begin with one of their own.
        public var systemPrompt = ChatTemplate().systemPrompt
        /// Refuses samples without units, for training the speech generator.
        public var requiresUnits = false
        /// Reads media as `--compat` does.
        public var isCompatible = false

        public init() {}
    }

    public let tokenizer: Tokenizer
    public let settings: Settings
    public let mediaTokens: MediaTokens
    /// Size of the unit vocabulary; nil: any unit.
    public let unitCount: Int?
    let media: SampleMedia

    /// - Throws: ``TokenizerError`` if the vocabulary lacks a control token that prompts need.
    public init(
        tokenizer: Tokenizer, preparation: MediaPreparation = MediaPreparation(), mediaTokens: MediaTokens = MediaTokens(),
        unitCount: Int? = nil, settings: Settings = Settings()
    ) throws {
        for token in ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"] { _ = try tokenizer.special(token) }
        (self.tokenizer, self.settings, self.mediaTokens, self.unitCount) = (tokenizer, settings, mediaTokens, unitCount)
        var preparation = preparation
        preparation.isCompatible = settings.isCompatible
        media = SampleMedia(preparation: preparation, tokens: mediaTokens, maximumFrames: settings.maximumFrames)
    }

    /// For a checkpoint; reads its configurations and tokenizer, no weights.
    public init(_ location: ModelLocation, _ configuration: LyraConfiguration, settings: Settings = Settings()) throws {
        let vision = try location.vision.map { try VisionConfiguration.load($0 + "/config.json") }
        var processor = ImageProcessorConfiguration()
        if let path = location.vision.map({ $0 + "/preprocessor_config.json" }), FileManager.default.fileExists(atPath: path) {
            processor = try .load(path)
        }
        let whisper = try location.speech.map { try WhisperConfiguration.load($0 + "/config.json") }
        try self.init(
            tokenizer: Tokenizer(directory: URL(fileURLWithPath: location.model)),
            preparation: vision.map { MediaPreparation(vision: $0, processor: processor) } ?? MediaPreparation(),
            mediaTokens: MediaTokens(configuration, vision: vision, whisper: whisper),
            unitCount: configuration.generator?.units, settings: settings)
    }

    // MARK: Text

    /// Token ids and labels of an example. Media files are not looked at.
    /// - Throws: `SampleFault`.
    func text(_ example: Example) throws -> EncodedText {
        let turns = try Self.checked(example.turns), answers = turns.count { $0.role == .assistant }
        guard example.evidence.isEmpty || example.evidence.count == answers && (!example.speeches.isEmpty || example.evidence.allSatisfy(\.isEmpty)) else {
            throw SampleFault(
                .wrongKey, key: "evidence",
                example.speeches.isEmpty ? "there is no recording" : "\(example.evidence.count) lists for \(answers) answers")
        }
        // The release marks videos by <image> too. <video> is a word of HTML as well, so it counts only where there are videos.
        let videoMarker = example.videos.isEmpty ? nil : Medium.video
        let markers = [Medium.image, .speech] + [videoMarker].compactMap { $0 }
        var pictures = example.images.map(EncodedText.Medium.image)[...]
        var videos = example.videos.map(EncodedText.Medium.video)[...]
        var speeches = example.speeches.enumerated().map { index, path in
            let transcript = index < example.transcripts.count ? example.transcripts[index] : nil
            let ids = transcript.map { tokenizer.encode($0, allowSpecial: false) } ?? []
            return EncodedText.Medium.speech(path, transcript: ids.isEmpty ? nil : ids)
        }[...]
        var found: [Medium: Int] = [:]
        var media: [[EncodedText.Medium]] = []  // of each message
        let messages = turns.map { turn -> ChatMessage in
            media.append([])
            guard turn.role == .user else { return ChatMessage(turn.role, turn.text) }
            var message = ChatMessage(.user, marked: turn.text, media: markers)
            let marked = message.content.count { $0 == .image || $0 == .video }
            if marked == 1, settings.pictureOrder == .release {
                message = ChatMessage(.user, marked: turn.text, order: .picturesFirst, media: markers)
            }
            for index in message.content.indices {
                guard case .media(var medium) = message.content[index] else { continue }
                if medium == .image, example.images.isEmpty, !example.videos.isEmpty { medium = .video }
                message.content[index] = .media(medium)
                found[medium, default: 0] += 1
                let next =
                    switch medium {
                    case .image: pictures.popFirst()
                    case .video: videos.popFirst()
                    case .speech: speeches.popFirst()
                    }
                if let next { media[media.count - 1].append(next) }
            }
            return message
        }
        for (medium, files) in [(Medium.image, example.images), (.video, example.videos), (.speech, example.speeches)]
        where files.count != found[medium] ?? 0 {
            let markers = found[medium] ?? 0
            throw SampleFault(
                .placeholders, key: medium.rawValue,
                "\(files.count) file\(files.count == 1 ? "" : "s") for \(markers) <\(medium.rawValue)> in the text")
        }
        guard !example.hasIndependentTurns else { return try independent(messages, media) }
        return EncodedText(try encode(messages), media.flatMap(\.self))
    }

    private func encode(_ messages: [ChatMessage]) throws -> EncodedPrompt {
        try ChatTemplate(systemPrompt: settings.systemPrompt).encode(messages, with: tokenizer, addGenerationPrompt: false)
    }

    /// Every question as a conversation of its own about the media of the first, or about what stands before the last line of the first
    /// if there are none; what those have in common before their answers stands there once. Questions may be
    /// spoken: where the first has no text, the last of its media is the question.
    /// - Parameter media: of each message.
    private func independent(_ messages: [ChatMessage], _ media: [[EncodedText.Medium]]) throws -> EncodedText {
        let system = messages.prefix { $0.role == .system }, rest = messages.dropFirst(system.count)
        let opening = rest.first?.content ?? []
        var context = opening.filter { if case .media = $0 { true } else { false } }
        if context.count == opening.count { context = context.dropLast() }
        let shown = context.count
        if context.isEmpty, case .text(let text)? = opening.first, let end = text.lastIndex(of: "\n") { context = [.text(String(text[...end]))] }
        var prompts: [(prompt: EncodedPrompt, media: [EncodedText.Medium])] = []
        for question in stride(from: rest.startIndex, to: rest.endIndex, by: 2) {
            var message = messages[question]
            if question > rest.startIndex { message.content = context + message.content }
            let own = question > rest.startIndex ? media[question][...] : media[question][shown...]
            prompts.append((try encode(Array(system) + [message, messages[question + 1]]), Array(own)))
        }
        let about = media[rest.startIndex][..<shown]
        let first = prompts[0].prompt.ids
        let shared = prompts.reduce(first.count) { shared, turn in
            let same = zip(first, turn.prompt.ids).prefix { $0 == $1 }.count
            let own = turn.prompt.slots.dropFirst(shown).first?.position ?? shared
            return min(shared, same, own, turn.prompt.supervised.first?.lowerBound ?? shared)
        }
        guard prompts[0].prompt.slots.prefix(shown).allSatisfy({ $0.position < shared }) else {
            throw SampleFault(
                .conversation, key: "conversations[\(rest.startIndex)]",
                "turns are independent, so pictures and recordings that all are about must stand before the first question's text")
        }
        var text = EncodedText(
            ids: Array(first[..<shared]), labels: Array(repeating: TrainingSample.ignored, count: shared), media: Array(about))
        for (prompt, own) in prompts {
            let turn = EncodedText(prompt, own)
            text.turns.append(text.ids.count)
            text.ids += turn.ids[shared...]
            text.labels += turn.labels[shared...]
            text.media += own
        }
        return text
    }

    /// System prompt, then questions and answers in turn, ending with an answer. An answer before the first question is left
    /// out, as in the original.
    private static func checked(_ turns: [Example.Turn]) throws -> [Example.Turn] {
        let key = "conversations"
        let system = turns.first?.role == .system ? turns.prefix(1) : []
        var rest = turns[system.count...]
        if rest.first?.role == .assistant { rest = rest.dropFirst() }
        guard !rest.isEmpty else { throw SampleFault(.conversation, key: key, "there is no question with an answer") }
        for (number, turn) in rest.enumerated() {
            let index = turns.count - rest.count + number
            guard turn.role != .system else {
                throw SampleFault(.conversation, key: "\(key)[\(index)]", "a system prompt may only come first")
            }
            guard (turn.role == .user) == (number % 2 == 0) else {
                throw SampleFault(
                    .conversation, key: "\(key)[\(index)]",
                    "two turns of \(turn.role == .user ? "human" : "gpt") follow each other")
            }
        }
        guard rest.last?.role == .assistant else {
            throw SampleFault(.conversation, key: key, "the last question has no answer")
        }
        return Array(system + rest)
    }

    // MARK: Samples

    /// The sample's length in tokens, media included, by the headers of its files. Exact for pictures whose headers are
    /// right; for sound as good as the file's word about its length.
    func length(_ text: EncodedText, in folders: MediaFolders) throws -> Int {
        try text.media.reduce(text.ids.count - text.media.count) { try $0 + media.count($1, in: folders) }
    }

    /// A sample with its media decoded, recordings in the version given.
    /// - Throws: `SampleFault` if it cannot be used.
    func sample(
        _ example: Example, id: String, in folders: MediaFolders, _ version: SpeechVersion? = nil
    ) throws -> (sample: TrainingSample, tokens: Int) {
        let text = try text(example)
        var tokens = text.ids.count - text.media.count
        try check(units: example.units, tokens: tokens)
        var decoded: [TrainingSample.Medium] = [], evidence: [[Range<Int>]] = []
        for medium in text.media {
            switch medium {
            case .image(let path):
                let picture = try media.image(path, in: folders.pictures)
                tokens += mediaTokens.ofPicture(Self.size(picture), sideMultiple: media.preparation.sideMultiple)
                decoded.append(.image(picture))
            case .video(let path):
                let frames = try media.video(path, in: folders.pictures)
                tokens += mediaTokens.ofVideo(
                    frames: frames.count, Self.size(frames[0]), sideMultiple: media.preparation.sideMultiple)
                decoded.append(.video(frames))
            case .speech(let path, let transcript):
                let room = settings.maximumTokens.map { $0 - tokens }
                var speech = TrainingSample.Speech(try media.speech(path, in: folders.speech, room: room), transcript: transcript)
                let length = speech.samples.count
                version?.apply(to: &speech, number: decoded.count, mediaTokens, room: room)
                if evidence.isEmpty { evidence = stretches(example.evidence, speed: Double(length) / Double(max(1, speech.samples.count))) }
                tokens += mediaTokens.ofSound(samples: speech.samples.count)
                decoded.append(.speech(speech))
            }
            try check(tokens: tokens)
        }
        var sample = TrainingSample(id: id, ids: text.ids, labels: text.labels, turns: text.turns, media: decoded, units: example.units)
        // Turns of a conversation choose together.
        if evidence.count == max(1, text.turns.count) { sample.evidence = evidence }
        return (sample, tokens)
    }

    /// The tokens of a recording, which sounds that much faster now, in which the seconds are; to three, which is what it may begin later.
    private func stretches(_ evidence: [[ClosedRange<Double>]], speed: Double) -> [[Range<Int>]] {
        let rate = mediaTokens.perSecond / speed
        return evidence.map { $0.map { Int($0.lowerBound * rate)..<Int(($0.upperBound * rate).rounded(.up)) } }
    }

    private func check(tokens: Int) throws {
        if let most = settings.maximumTokens, tokens > most {
            throw SampleFault(.tooLong, "at least \(tokens) tokens, more than \(most)")
        }
    }

    func check(units: [Int32]?, tokens: Int) throws {
        try check(tokens: tokens)
        guard let units else {
            if settings.requiresUnits { throw SampleFault(.units, key: "units", "there are none for this sample") }
            return
        }
        if let unitCount, let wrong = units.first(where: { $0 >= unitCount }) {
            throw SampleFault(.units, key: "units", "unit \(wrong) is beyond the last of the model's, \(unitCount - 1)")
        }
    }

    private static func size(_ picture: RGBImage) -> PixelSize { PixelSize(height: picture.height, width: picture.width) }
}
