// One turn, start to end: media, prompt, prefill, tokens, units, sound, events.
import Foundation
import LyraModel
import LyraText
import MLX

extension Lyra {
    /// Makes the reply to one turn; `send` receives its events. On an error or cancellation the conversation is as before.
    func reply(
        _ conversation: Conversation, to parts: [Part], options: ReplyOptions, send: @escaping @Sendable (ReplyEvent) -> Void
    ) async throws {
        var state = conversations[conversation.id] ?? ConversationState(decoder: model.decoder.newState())
        guard !state.isBusy else { throw MediaUseError.busy }
        if options.speaks {  // fail before the work, not after it
            _ = try model.speechGenerator()
            _ = try model.vocoder()
        }
        let recordings = try encoded(parts)
        conversations[conversation.id] = nil  // one owner, so that caches are written in place
        let before = state.savePoint
        var turn = TurnRun(lyra: self, options: options, recordings: recordings, send: send)
        do {
            try turn.prepare(parts, system: conversation.system, &state)
            while try turn.step(&state) {
                // Other conversations, and closing this one, get their turn between tokens.
                state.isBusy = true
                conversations[conversation.id] = ConversationState(busyFrom: model.decoder.newState())
                await Task.yield()
                state.isBusy = false
            }
            try turn.finish(&state)
        } catch {
            state.restore(before)
            conversations[conversation.id] = state
            throw error
        }
        conversations[conversation.id] = state
    }
}

extension Lyra {
    /// Adds a finished exchange to a conversation.
    func add(_ conversation: Conversation, _ parts: [Part], answer: String, options: ReplyOptions) throws {
        var state = conversations[conversation.id] ?? ConversationState(decoder: model.decoder.newState())
        guard !state.isBusy else { throw MediaUseError.busy }
        let recordings = try encoded(parts)
        let before = state.savePoint
        conversations[conversation.id] = nil
        defer { conversations[conversation.id] = state }
        do {
            var turn = TurnRun(lyra: self, options: options, recordings: recordings) { _ in }
            try turn.read(parts, system: conversation.system, &state)
            state.ids += tokenizer.encode(answer, allowSpecial: false) + [try tokenizer.special("<|im_end|>")]
            state.transcript.append(ChatMessage(.assistant, answer))
            state.turns += 1
            state.wasRebuilt = false
        } catch {
            state.restore(before)
            throw error
        }
    }
}

extension ConversationState {
    /// Stands in for a conversation whose state is in use.
    init(busyFrom decoder: DecoderState) {
        self.init(decoder: decoder)
        isBusy = true
    }

    struct SavePoint {
        let ids: Int, cached: Int, media: Int, turns: Int, windows: Int, transcript: Int
        let adapter: Adapter?, projector: Adapter?
        let mark: DecoderState.Mark
    }

    var savePoint: SavePoint {
        SavePoint(
            ids: ids.count, cached: cached, media: media.count, turns: turns, windows: windows, transcript: transcript.count,
            adapter: adapter, projector: projector, mark: decoder.mark)
    }

    mutating func restore(_ point: SavePoint) {
        ids.removeLast(ids.count - point.ids)
        media.removeLast(media.count - point.media)
        frames = frames.filter { $0.key < point.media }
        transcript.removeLast(transcript.count - point.transcript)
        (turns, windows) = (point.turns, point.windows)
        if wasRebuilt {
            // The caches were made anew with another adapter; the next turn makes them again.
            cached = 0
            decoder = decoder.emptied
            (adapter, projector) = (point.adapter, point.projector)
            wasRebuilt = false
        } else {
            cached = point.cached
            decoder.rewind(to: point.mark)
        }
    }
}
