// What goes into a conversation and what comes out of it.
import Foundation
import LyraMedia
import LyraModel
import LyraText

/// One part of what the user says.
public enum Part: Sendable {
    case text(String)
    case image(MediaSource)
    /// Frames are sampled twice a second, 16 at most by default.
    case video(MediaSource)
    /// Spoken words: a question, or a recording of any length.
    case speech(MediaSource)
    /// Samples at 16 kHz, for programs that have sound in memory.
    case samples([Float])
    /// Speech that was encoded while it came in.
    case recording(Recording)
}

extension Part {
    /// What the prompt holds for it.
    var content: ContentPart {
        switch self {
        case .text(let text): .text(text)
        case .image: .image
        case .video: .video
        case .speech, .samples, .recording: .speech
        }
    }

    /// What the original's command line reads of a turn: the first picture, else the first video, then the first speech;
    /// then the text.
    static func readByTheRelease(_ parts: [Part]) -> [Part] {
        let picture = parts.first { $0.content == .image } ?? parts.first { $0.content == .video }
        let speech = parts.first { $0.content == .speech }
        let text = parts.filter { if case .text = $0 { true } else { false } }
        return [picture, speech].compactMap { $0 } + text
    }
}

/// How a reply is made.
public struct ReplyOptions: Sendable {
    /// Tokens at most.
    public var maximumTokens: Int = 256
    public var sampling = SamplingOptions.greedy
    /// Texts that end the reply; they are not part of it.
    public var stop: [String] = []
    /// Whether the reply is spoken too.
    public var speaks = false
    /// Drops context tokens the instruction does not attend to; nil keeps all.
    public var extractor: ExtractorOptions?
    /// Whether, with the extractor, ``ReplyEvent/evidence(_:)`` comes again after the answer, with what the answer attended to. Costs a
    /// pass of the answer's tokens.
    public var explainsAnswer = false
    /// Whether the extractor chooses among the media of earlier turns anew for this question, at the price of all layers but
    /// the first block's. Otherwise a question without media of its own sees what the last choice left, and costs its own
    /// tokens only.
    public var choosesAnew = false
    /// Whether tokens that repeat earlier ones are guessed and verified several at a time; the reply stays the same.
    public var guessesAhead = true
    /// Whether a reply that goes round in circles ends there; what was said more than once is not in
    /// ``Reply/text``, though it has been sent.
    public var endsRepetition = false
    /// What the reply is likely to repeat in large part, such as a text to be corrected: guesses are taken from it too.
    public var prediction: String?
    /// Which adapter is active.
    public var adapter = AdapterChoice.automatic
    /// Most frames taken from a video.
    public var maximumFrames = 16
    /// Collects every stage of the request; see ``Trace``.
    public var trace: Trace?

    public init() {}
}

/// How the adapter of a request is chosen.
public enum AdapterChoice: String, Sendable, CaseIterable {
    /// By the rule of the release: off without speech, `speech` for one window, `long_speech` for more.
    case automatic = "auto"
    case off
    case speech
    case longSpeech = "long_speech"
}

/// A piece of spoken reply.
public struct AudioChunk: Sendable {
    /// -1...1, mono.
    public var samples: [Float]
    public var sampleRate: Int
}

/// What happens while a reply is made, in order.
public enum ReplyEvent: Sendable {
    /// Work before the first token; `fraction` is 0...1 of the stage.
    case progress(stage: Stage, fraction: Double)
    /// More text of the reply.
    case text(String)
    /// More sound of the reply; its words may lag behind the text.
    case audio(AudioChunk)
    /// What the extractor kept of the media, once the prompt has been read; and again at the end, where asked for
    /// (``ReplyOptions/explainsAnswer``).
    case evidence(Evidence)
    /// The end.
    case done(Reply)
}

/// A stage of the work.
public enum Stage: String, Sendable, Codable, CaseIterable {
    case media, speechEncoder = "speech_encoder", visionEncoder = "vision_encoder", prefill, decode, speech
}

/// A finished reply.
public struct Reply: Sendable, Codable {
    public enum FinishReason: String, Sendable, Codable {
        /// The model ended its answer, or one of the stop texts came.
        case stop
        /// `maximumTokens` was reached.
        case length
        /// The reply went round in circles (``ReplyOptions/endsRepetition``).
        case repetition
    }
    public var text: String
    /// Token ids, the end token included.
    public var tokenIDs: [Int32]
    public var finishReason: FinishReason
    public var usage: Usage
    public var timings: Timings
    /// Discrete speech units, when the reply is spoken.
    public var units: [Int32]?
    /// The adapter that was active; nil for none.
    public var adapter: Adapter?
}

/// Counts of one reply.
public struct Usage: Sendable, Codable {
    /// Tokens of the whole context after this turn's prompt.
    public var promptTokens = 0
    /// Of them, those taken from the cache of earlier turns.
    public var cachedTokens = 0
    /// Of all tokens of the context, those of pictures and videos, and those of speech.
    public var visionTokens = 0
    public var speechTokens = 0
    /// Windows of speech that came in, and those of them that had been encoded before.
    public var speechWindows = 0
    public var knownSpeechWindows = 0
    /// Tokens of the reply that were guessed right, and went through the model with the one before.
    public var guessedTokens = 0
    public var completionTokens = 0
    /// Seconds of sound that came in and went out.
    public var speechSeconds = 0.0
    public var spokenSeconds = 0.0
}

/// Seconds each stage took.
public struct Timings: Sendable, Codable {
    public var seconds: [String: Double] = [:]
    /// From the request to the first text and the first sound.
    public var firstText: Double?
    public var firstAudio: Double?
    public var total = 0.0
    public var tokensPerSecond = 0.0
    public var prefillTokensPerSecond = 0.0

    mutating func add(_ stage: Stage, _ duration: Duration) {
        seconds[stage.rawValue, default: 0] += duration / .seconds(1)
    }
}
