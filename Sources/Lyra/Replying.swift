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
        if options.speaks {  // fail before the work, not after it
            _ = try model.speechGenerator()
            _ = try model.vocoder()
        }
        try await change(conversation) { (state: inout ConversationState, lyra: isolated Lyra) in
            var turn = TurnRun(lyra: lyra, options: options, send: send)
            try await turn.prepare(parts, system: conversation.system, &state, on: lyra)
            // Other conversations, and closing this one, get their turn between tokens.
            while try await turn.step(&state, on: lyra) { await Task.yield() }
            try turn.finish(&state)
        }
    }

    /// Adds a finished exchange to a conversation.
    func add(_ conversation: Conversation, _ parts: [Part], answer: String, options: ReplyOptions) async throws {
        try await change(conversation) { (state: inout ConversationState, lyra: isolated Lyra) in
            var turn = TurnRun(lyra: lyra, options: options) { _ in }
            try await turn.read(parts, system: conversation.system, &state, on: lyra)
            state.ids += lyra.tokenizer.encode(answer, allowSpecial: false) + [try lyra.tokenizer.special("<|im_end|>")]
            state.transcript.append(ChatMessage(.assistant, answer))
            state.turns += 1
            (state.wasRebuilt, state.wasRechosen) = (false, false)
        }
    }

    /// Lends a conversation's state to `body`, which is its one owner meanwhile, so that caches are written in place. If it
    /// fails, the conversation is as before.
    private func change(
        _ conversation: Conversation, _ body: (inout ConversationState, isolated Lyra) async throws -> Void
    ) async throws {
        let id = conversation.id
        var state = conversations[id] ?? ConversationState(decoder: model.decoder.newState(), owner: conversation.owner)
        guard !state.isBusy else { throw MediaUseError.busy }
        let before = state.savePoint
        conversations[id] = ConversationState(busyFrom: model.decoder.newState(), owner: state.owner)
        replies += 1
        defer {
            replies -= 1
            conversations[id] = state
        }
        do {
            try await body(&state, self)
        } catch {
            state.restore(before)
            throw error
        }
    }
}

extension ConversationState {
    /// Stands in for a conversation whose state is in use.
    init(busyFrom decoder: DecoderState, owner: String) {
        self.init(decoder: decoder, owner: owner)
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
        facts.removeLast(facts.count - point.media)
        frames = frames.filter { $0.key < point.media }
        transcript.removeLast(transcript.count - point.transcript)
        (turns, windows) = (point.turns, point.windows)
        if wasRebuilt {
            // The caches were made anew with another adapter; the next turn makes them again.
            cached = 0
            decoder = decoder.emptied
            (adapter, projector) = (point.adapter, point.projector)
        } else if wasRechosen {
            // What came after the context has been dropped; the next turn reads it again.
            decoder.returnToLeading()
            cached = idCount(tokens: decoder.tokens)
        } else {
            cached = point.cached
            decoder.rewind(to: point.mark)
        }
        (wasRebuilt, wasRechosen) = (false, false)
    }
}
