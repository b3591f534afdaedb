// What comes before a reply's first token: media, adapter, prompt, prefill, evidence.
import Foundation
import LyraModel
import LyraText
import MLX

extension TurnRun {
    mutating func prepare(
        _ parts: [Part], system: String?, _ state: inout ConversationState, on lyra: isolated Lyra
    ) async throws {
        try await read(parts, system: system, &state, on: lyra)
        options.trace?.record("input_ids", state.ids)
        try await prefill(&state, on: lyra)
        if options.guessesAhead {
            guesses = Guesses(state.ids, prediction: options.prediction.map { lyra.tokenizer.encode($0, allowSpecial: false) } ?? [])
        }
        if options.speaks { voice = try Voice(model, trace: options.trace) }
    }

    private func report(_ stage: Stage, _ share: Double) throws {
        try Task.checkCancellation()
        send(.progress(stage: stage, fraction: share))
    }

    /// Encodes the turn's media and adds its ids.
    mutating func read(
        _ parts: [Part], system: String?, _ state: inout ConversationState, on lyra: isolated Lyra
    ) async throws {
        let compatible = lyra.options.isCompatible
        let parts = compatible ? Part.readByTheRelease(parts) : parts
        let encoder = MediaEncoder(
            model: model, isCompatible: compatible, cache: lyra.speechCache, trace: options.trace,
            report: { [self] in try report($0, $1) })
        try await encode(parts, with: encoder, &state, on: lyra)
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
        _ parts: [Part], with encoder: MediaEncoder, _ state: inout ConversationState, on lyra: isolated Lyra
    ) async throws {
        var encoded: [EncodedPart] = []
        let past = state.windows
        let choice = { [self] (windows: Int) in chosenAdapter(windows: max(past, windows)) }
        if options.trace == nil, parts.contains(where: \.isMedium) { encoder.known = lyra.knownMedia(projector: choice(2), owner: state.owner) }
        for part in parts {
            switch part {
            case .text: continue
            case .image(let source): encoded.append(try encoder.image(source))
            case .video(let source): encoded.append(try encoder.video(source, maximumFrames: options.maximumFrames))
            case .speech(let source): encoded.append(try await encoder.speech(source, adapter: choice, on: lyra))
            case .samples(let samples): encoded.append(try await encoder.speech(samples, adapter: choice, on: lyra))
            case .recording(let recording):
                try lyra.encodeRest(of: recording.id)
                encoded.append(try encoder.speech(lyra.recordings[recording.id] ?? RecordingState(), adapter: choice))
            }
        }
        for part in encoded {
            if let frames = part.frames { state.frames[state.media.count] = frames }
            state.media.append(part.medium)
            state.facts.append(part.facts)
            state.windows = max(state.windows, part.facts.windows.count)
            usage.speechSeconds += part.facts.seconds
            usage.speechWindows += part.facts.windows.count
            usage.knownSpeechWindows += part.knownWindows
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
            state.facts[index].projector = projector
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
            if !hasPicture || state.turns > 0 {
                let speech = state.media.indices.filter { if case .speech = state.media[$0] { true } else { false } }
                (state.media, state.facts) = (speech.map { state.media[$0] }, speech.map { state.facts[$0] })
            }
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

    private mutating func prefill(_ state: inout ConversationState, on lyra: isolated Lyra) async throws {
        let began = clock.now
        chooseAnew(&state)
        if state.cached == 0 { lyra.adoptBeginning(&state, extractor: options.extractor) }
        let pending = Array(state.ids[state.cached...])
        // Media whose placeholders are covered by the caches are not needed again.
        let inserted = pending.count(where: { $0 == Placeholder.image || $0 == Placeholder.speech })
        let (input, _) = try model.decoder.assemble(pending, media: Array(state.media.suffix(inserted)), after: state.decoder)
        if let trace = options.trace {
            trace.record("position_ids", input.positions.array)
            trace.record("inputs_embeds", input.embeddings)
        }
        usage.cachedTokens = state.decoder.tokens
        var prefill = Prefill(
            model.decoder, input, state: state.decoder.take(), adapter: adapter, extractor: options.extractor)
        defer { state.decoder = prefill.state }
        repeat {
            try report(.prefill, prefill.share)
            await Task.yield()
        } while prefill.advance()
        guard let last = prefill.hidden else { return }
        hidden = last
        logits = model.decoder.logits(hidden)
        eval(hidden, logits)  // the time belongs here, not to the first token
        try report(.prefill, 1)
        state.cached = state.ids.count
        state.turns += 1
        let duration = clock.now - began
        timings.add(.prefill, duration)
        timings.prefillTokensPerSecond = Double(input.positions.count) / (duration / .seconds(1))
        usage.promptTokens = prefill.state.tokens
        for medium in state.media {
            switch medium {
            case .vision: usage.visionTokens += medium.count
            case .speech: usage.speechTokens += medium.count
            }
        }
        sendEvidence(prefill.extractions, lengths: prefill.state.lengths, state)
    }

    /// Goes back to the end of the context, where the question is to choose among it anew.
    private func chooseAnew(_ state: inout ConversationState) {
        guard options.choosesAnew, let extractor = options.extractor, state.cached > 0, let leading = state.decoder.leading,
            extractor.firstBoundary(layers: model.configuration.layers) == leading.layers
        else { return }
        state.decoder.returnToLeading()
        state.cached = state.idCount(tokens: state.decoder.tokens)
        state.wasRechosen = true
    }

    private mutating func sendEvidence(_ extractions: [Extraction], lengths: [Int], _ state: ConversationState) {
        if let trace = options.trace {
            for extraction in extractions {
                trace.record("survivors.\(extraction.layer)", extraction.survivors)
                trace.record("scores.\(extraction.layer)", extraction.scores)
            }
            trace.record("kv_lengths", lengths.map(Int32.init))
        }
        guard !extractions.isEmpty else { return }
        let tokenSeconds =
            Double(model.configuration.speechStack) * 2 * Double(LogMel.hopSamples) / Double(LogMel.sampleRate)
        let scored = state.scoredMedia(extractions)
        let evidence = Evidence(
            extractions, spans: scored.spans, grids: scored.grids, secondsPerToken: tokenSeconds, speechSeconds: scored.seconds)
        readPrompt = ReadPrompt(evidence: evidence, spans: scored.spans, extractions: extractions)
        send(.evidence(evidence))
    }
}

extension ConversationState {
    /// The media whose tokens the extractor chose among, counted from the first of them, with the merged grids of pictures and
    /// the lengths of recordings.
    fileprivate func scoredMedia(_ extractions: [Extraction]) -> (spans: [MediumSpan], grids: [PatchGrid], seconds: [Double]) {
        let scored = Set(extractions.first?.candidates ?? [])
        var spans: [MediumSpan] = [], grids: [PatchGrid] = [], seconds: [Double] = []
        var token = 0, next = 0
        for id in ids {
            guard id < 0, next < media.count else {
                token += 1
                continue
            }
            let range = token..<(token + media[next].count)
            if scored.contains(Int32(range.lowerBound)) {
                switch media[next] {
                case .vision(_, let grid):
                    spans.append(MediumSpan(kind: .vision, index: grids.count, range: range))
                    grids.append(grid)
                case .speech:
                    spans.append(MediumSpan(kind: .speech, index: seconds.count, range: range))
                    seconds.append(facts[next].seconds)
                }
            }
            (token, next) = (range.upperBound, next + 1)
        }
        return (spans, grids, seconds)
    }
}

extension Part {
    fileprivate var isMedium: Bool { if case .text = self { false } else { true } }
}
