// One turn, start to end: media, prompt, prefill, tokens, units, sound, events.
import Foundation
import LyraMedia
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
        conversations[conversation.id] = nil  // one owner, so that caches are written in place
        let before = state.savePoint
        var turn = TurnRun(lyra: self, options: options, send: send)
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
        let before = state.savePoint
        conversations[conversation.id] = nil
        defer { conversations[conversation.id] = state }
        do {
            var turn = TurnRun(lyra: self, options: options) { _ in }
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

/// The state of one reply in the making.
struct TurnRun {
    let lyra: Lyra
    let options: ReplyOptions
    let send: @Sendable (ReplyEvent) -> Void
    private let model: LyraModel
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var timings = Timings()
    private var usage = Usage()
    /// Length of each recording of this turn.
    private var speechSeconds: [Double] = []
    private var sampler: Sampler
    private var text: StreamingDecoder
    private var answer = ""
    private var generated: [Int32] = []
    private var adapter: Adapter?
    /// Final state of the newest token, [1, hidden].
    private var hidden = MLXArray.zeros([0])
    private var reason: Reply.FinishReason?
    private var voice: Voice?

    init(lyra: isolated Lyra, options: ReplyOptions, send: @escaping @Sendable (ReplyEvent) -> Void) {
        self.lyra = lyra
        self.options = options
        self.send = send
        model = lyra.model
        start = clock.now
        sampler = Sampler(options.sampling)
        text = StreamingDecoder(lyra.tokenizer, skipSpecialTokens: true)
    }

    // MARK: Before the first token

    mutating func prepare(_ parts: [Part], system: String?, _ state: inout ConversationState) throws {
        try read(parts, system: system, &state)
        if options.trace != nil { traceInputs(state) }
        try prefill(&state)
        if options.speaks { voice = try Voice(model, trace: options.trace) }
    }

    private func report(_ stage: Stage, _ share: Double) throws {
        try Task.checkCancellation()
        send(.progress(stage: stage, fraction: share))
    }

    /// Encodes the turn's media and adds its ids.
    mutating func read(_ parts: [Part], system: String?, _ state: inout ConversationState) throws {
        let compatible = lyra.options.isCompatible
        let encoder = MediaEncoder(model: model, isCompatible: compatible, trace: options.trace, report: { [self] in try report($0, $1) })
        let parts = compatible ? Part.readByTheRelease(parts) : parts
        try encode(parts, with: encoder, &state)
        timings = encoder.timings
        // The original drops adapters from the second turn on; the projector of the first stays.
        adapter = compatible && state.turns > 0 ? nil : chosenAdapter(windows: state.windows)
        try reproject(&state, compatible: compatible)
        try appendPrompt(parts, system: system, &state)
    }

    private func chosenAdapter(windows: Int) -> Adapter? {
        switch options.adapter {
        case .automatic: model.adapter(forWindows: windows)
        case .off: nil
        case .speech: model.adapters.contains(.speech) ? .speech : nil
        case .longSpeech: model.adapters.contains(.longSpeech) ? .longSpeech : nil
        }
    }

    private mutating func encode(
        _ parts: [Part], with encoder: MediaEncoder, _ state: inout ConversationState
    ) throws {
        var encoded: [EncodedPart] = []
        let past = state.windows
        let choice = { [self] (windows: Int) in chosenAdapter(windows: max(past, windows)) }
        for part in parts {
            switch part {
            case .text: continue
            case .image(let source): encoded.append(try encoder.image(source))
            case .video(let source): encoded.append(try encoder.video(source, maximumFrames: options.maximumFrames))
            case .speech(let source): encoded.append(try encoder.speech(source, adapter: choice))
            case .samples(let samples): encoded.append(try encoder.speech(samples, adapter: choice))
            }
        }
        usage.speechSeconds = encoded.reduce(0) { $0 + $1.seconds }
        for part in encoded {
            if let frames = part.frames { state.frames[state.media.count] = frames }
            state.media.append(part.medium)
            state.windows = max(state.windows, part.windows)
            if case .speech = part.medium { speechSeconds.append(part.seconds) }
        }
    }

    /// Brings caches and speech tokens in line with the adapter of this turn: what another one computed is not reused.
    private func reproject(_ state: inout ConversationState, compatible: Bool) throws {
        let projector = compatible && state.turns > 0 ? state.projector : adapter
        if adapter != state.adapter || compatible {
            state.cached = 0
            state.decoder = model.decoder.newState()
            state.wasRebuilt = state.turns > 0
        }
        if projector != state.projector, state.turns > 0 {
            for (index, box) in state.frames {
                state.media[index] = .speech(tokens: model.project(box.frames, adapter: projector))
            }
        }
        (state.adapter, state.projector) = (adapter, projector)
        // Several windows settle the projector for good.
        if state.windows > 1 { state.frames = [:] }
    }

    /// Adds this turn's ids: the end of the last reply, the user's message, the assistant's header.
    private func appendPrompt(_ parts: [Part], system: String?, _ state: inout ConversationState) throws {
        let message = ChatMessage(.user, parts.map(\.content))
        state.transcript.append(message)
        if lyra.options.isCompatible {
            // The original writes the whole conversation anew each time. Pictures have markers in the first turn only.
            let prompt = try ChatTemplate(style: .release, systemPrompt: system).prompt(state.transcript)
            let hasPicture = state.media.contains { if case .vision = $0 { true } else { false } }
            let reading: PlaceholderTokenizer = hasPicture && state.turns == 0 ? .releaseImageSpeech : .releaseSpeech
            state.ids = reading.encode(prompt, with: lyra.tokenizer)
            if !hasPicture || state.turns > 0 { state.media.removeAll { if case .vision = $0 { true } else { false } } }
            return
        }
        if state.turns > 0 {
            // A reply ends with <|im_end|> unless it was cut; the template's line break follows.
            if state.ids.last.map(model.endTokens.contains) != true { state.ids.append(try lyra.tokenizer.special("<|im_end|>")) }
            state.ids += lyra.tokenizer.encode("\n")
        }
        let template = ChatTemplate(systemPrompt: state.turns == 0 ? system : nil)
        state.ids += try template.encode([message], with: lyra.tokenizer).ids
    }

    private mutating func prefill(_ state: inout ConversationState) throws {
        let began = clock.now
        let pending = Array(state.ids[state.cached...])
        // Media whose placeholders are covered by the caches are not needed again.
        let inserted = pending.count(where: { $0 == Placeholder.image || $0 == Placeholder.speech })
        let media = Array(state.media.suffix(inserted))
        let (input, spans) = try model.decoder.assemble(pending, media: media, after: state.decoder)
        if let trace = options.trace {
            trace.record("position_ids", input.positions.array)
            trace.record("inputs_embeds", input.embeddings)
        }
        usage.cachedTokens = state.decoder.tokens
        try report(.prefill, 0)
        let result = try model.decoder(input, state: &state.decoder, adapter: adapter, extractor: options.extractor) {
            try report(.prefill, $0)
        }
        hidden = result.hidden
        eval(hidden)  // the time belongs here, not to the first token
        state.cached = state.ids.count
        state.turns += 1
        let duration = clock.now - began
        timings.add(.prefill, duration)
        timings.prefillTokensPerSecond = Double(input.positions.count) / (duration / .seconds(1))
        usage.promptTokens = state.decoder.tokens
        for span in spans {
            switch span.kind {
            case .vision: usage.visionTokens += span.range.count
            case .speech: usage.speechTokens += span.range.count
            }
        }
        sendEvidence(result.extractions, spans: spans, media: media, state)
    }

    private func sendEvidence(_ extractions: [Extraction], spans: [MediumSpan], media: [EncodedMedium], _ state: ConversationState) {
        if let trace = options.trace {
            for extraction in extractions {
                trace.record("survivors.\(extraction.layer)", extraction.survivors)
                trace.record("scores.\(extraction.layer)", extraction.scores)
            }
            trace.record("kv_lengths", state.decoder.lengths.map(Int32.init))
        }
        guard !extractions.isEmpty else { return }
        let grids = media.compactMap { medium -> PatchGrid? in
            if case .vision(_, let grid) = medium { grid } else { nil }
        }
        let tokenSeconds =
            Double(model.configuration.speechStack) * 2 * Double(LogMel.hopSamples) / Double(LogMel.sampleRate)
        // Rebuilt caches bring recordings of earlier turns, whose lengths are not kept, before those of this one.
        let earlier = spans.count { $0.kind == .speech } - speechSeconds.count
        let lengths = Array(repeating: Double.infinity, count: max(0, earlier)) + speechSeconds
        send(
            .evidence(
                Evidence(extractions, spans: spans, grids: grids, secondsPerToken: tokenSeconds, speechSeconds: lengths)))
    }

    private func traceInputs(_ state: ConversationState) {
        options.trace?.record("input_ids", state.ids)
    }

    // MARK: Tokens

    /// One token; false when the reply has ended.
    mutating func step(_ state: inout ConversationState) throws -> Bool {
        guard generated.count < options.maximumTokens else {
            reason = .length
            return false
        }
        try Task.checkCancellation()
        var began = clock.now
        let logits = model.decoder.logits(hidden).asArray(Float.self)
        guard logits.allSatisfy(\.isFinite) else { throw NonFiniteLogits(step: generated.count) }
        if generated.isEmpty { options.trace?.record("logits", logits) }
        options.trace?.append("hidden_states", hidden)
        let token = sampler(logits)
        generated.append(token)
        state.ids.append(token)
        let ended = model.endTokens.contains(token)
        emit(ended ? text.finish() : text.append(token))
        timings.add(.decode, clock.now - began)
        began = clock.now
        if voice != nil {
            speak(try voice?.append(hidden) ?? [])
            timings.add(.speech, clock.now - began)
        }
        if ended {
            reason = .stop
            return false
        }
        guard generated.count < options.maximumTokens else {
            reason = .length
            return false
        }
        began = clock.now
        var positions = Positions(startingAt: state.decoder.nextPosition)
        positions.appendRun(1)
        let input = Decoder.Input(embeddings: model.decoder.embed([token]), positions: positions, isContext: [false])
        hidden = try model.decoder(input, state: &state.decoder, adapter: adapter).hidden
        eval(hidden)
        state.cached += 1
        timings.add(.decode, clock.now - began)
        return true
    }

    private mutating func emit(_ delta: String) {
        guard !delta.isEmpty else { return }
        if timings.firstText == nil { timings.firstText = (clock.now - start) / .seconds(1) }
        answer += delta
        send(.text(delta))
    }

    private mutating func speak(_ samples: [Float]) {
        guard !samples.isEmpty, let voice else { return }
        if timings.firstAudio == nil { timings.firstAudio = (clock.now - start) / .seconds(1) }
        usage.spokenSeconds += Double(samples.count) / Double(voice.sampleRate)
        send(.audio(AudioChunk(samples: samples, sampleRate: voice.sampleRate)))
    }

    mutating func finish(_ state: inout ConversationState) throws {
        if reason != .stop { emit(text.finish()) }
        let began = clock.now
        if voice != nil {
            speak(voice?.finish() ?? [])
            timings.add(.speech, clock.now - began)
        }
        state.transcript.append(ChatMessage(.assistant, answer))
        state.wasRebuilt = false
        usage.completionTokens = generated.count
        timings.total = (clock.now - start) / .seconds(1)
        timings.tokensPerSecond = Double(generated.count) / max(1e-9, timings.seconds[Stage.decode.rawValue] ?? 0)
        options.trace?.record("generated_ids", generated)
        voice?.record(options.trace)
        send(
            .done(
                Reply(
                    text: answer, tokenIDs: generated, finishReason: reason ?? .stop, usage: usage, timings: timings,
                    units: voice?.units, adapter: adapter)))
    }
}
