// A conversation: turns in, streams of events out. Its tokens, media and caches live with the model.
import Foundation
import LyraMedia
import LyraModel
import LyraText
import Synchronization

/// A conversation with an open ``Lyra``. Media of earlier turns stay in context, and so do the caches: a later turn costs
/// only its own tokens.
public final class Conversation: Sendable {
    public let lyra: Lyra
    let id = UUID()
    let system: String?
    let owner: String
    /// The reply begun last. A cancelled one may still be winding down when the next begins.
    private let latest = Mutex<Task<Void, Never>?>(nil)

    init(_ lyra: Lyra, system: String?, owner: String) {
        (self.lyra, self.system, self.owner) = (lyra, system, owner)
    }

    deinit {
        let (lyra, id) = (lyra, id)
        Task { await lyra.close(id) }
    }

    /// Says something; the reply comes as a stream of events. Ending the iteration early, or cancelling its task, stops the
    /// work; the conversation then goes on as if the turn had not been taken.
    public func reply(to parts: [Part], options: ReplyOptions = ReplyOptions()) -> AsyncThrowingStream<ReplyEvent, any Error> {
        AsyncThrowingStream { continuation in
            let previous = latest.withLock { $0 }
            // The task holds the conversation, so its state outlives the reply.
            let task = Task {
                if let previous, previous.isCancelled { await previous.value }
                do {
                    try await self.lyra.reply(self, to: parts, options: options) { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            latest.withLock { $0 = task }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Adds an exchange that took place elsewhere: what the user said and what was answered. Nothing is generated; the next
    /// reply reads it all.
    public func add(_ parts: [Part], answer: String, options: ReplyOptions = ReplyOptions()) async throws {
        try await lyra.add(self, parts, answer: answer, options: options)
    }

    /// The whole reply at once.
    public func respond(to parts: [Part], options: ReplyOptions = ReplyOptions()) async throws -> Reply {
        for try await event in reply(to: parts, options: options) {
            if case .done(let reply) = event { return reply }
        }
        throw CancellationError()
    }
}

/// What the model keeps of a conversation.
struct ConversationState {
    /// All ids, placeholders included, those of replies too.
    var ids: [Int32] = []
    /// How many of `ids` the caches cover.
    var cached = 0
    /// Encoded media in prompt order.
    var media: [EncodedMedium] = []
    /// What is known of each of them.
    var facts: [MediumFacts] = []
    /// Frames of single-window speech, by index in `media`.
    var frames: [Int: SpeechFrames] = [:]
    var decoder: DecoderState
    var adapter: Adapter?
    /// The projector speech was last projected by.
    var projector: Adapter?
    /// Most windows of one recording so far.
    var windows = 0
    var turns = 0
    /// Messages as text, for the compatible mode, which tokenises the whole prompt anew.
    var transcript: [ChatMessage] = []
    var isBusy = false
    /// Whether the caches were thrown away during the current turn.
    var wasRebuilt = false
    /// Whether they went back to the first block of the context, for the question to choose anew.
    var wasRechosen = false

    /// Whose conversation it is; nothing is shared with those of others.
    let owner: String

    init(decoder: DecoderState, owner: String) { (self.decoder, self.owner) = (decoder, owner) }
}
