// What comes before a reply's first token: media, adapter, prompt, prefill, evidence.
import Foundation
import LyraModel
import LyraText
import MLX

extension TurnRun {
    mutating func prepare(_ parts: [Part], system: String?, _ state: inout ConversationState) throws {
        try read(parts, system: system, &state)
        options.trace?.record("input_ids", state.ids)
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
            case .recording(let recording):
                encoded.append(try encoder.speech(recordings[recording.id] ?? RecordingState(), adapter: choice))
            }
        }
        for part in encoded {
            if let frames = part.frames { state.frames[state.media.count] = frames }
            state.media.append(part.medium)
            state.windows = max(state.windows, part.windows)
            usage.speechSeconds += part.seconds
            if part.windows > 0 { speechSeconds.append(part.seconds) }
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
        for (index, speech) in state.frames where speech.projector != projector {
            state.media[index] = .speech(tokens: model.project(speech.frames, adapter: projector))
            state.frames[index]?.projector = projector
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
}
