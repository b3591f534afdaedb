// The state of one reply in the making, token by token.
import Foundation
import Foundation
import LyraModel
import LyraText
import MLX

/// The state of one reply in the making.
struct TurnRun {
    let lyra: Lyra
    let options: ReplyOptions
    let send: @Sendable (ReplyEvent) -> Void
    let model: LyraModel
    let clock = ContinuousClock()
    let start: ContinuousClock.Instant
    var timings = Timings()
    var usage = Usage()
    var sampler: Sampler
    var text: StreamingDecoder
    var stop: StopText
    var answer = ""
    var generated: [Int32] = []
    var adapter: Adapter?
    /// Final state of the newest token, [1, hidden].
    var hidden = MLXArray.zeros([0])
    var reason: Reply.FinishReason?
    var voice: Voice?
    /// Length of each recording of this turn.
    var speechSeconds: [Double] = []
    let recordings: [UUID: RecordingState]

    init(
        lyra: isolated Lyra, options: ReplyOptions, recordings: [UUID: RecordingState],
        send: @escaping @Sendable (ReplyEvent) -> Void
    ) {
        self.lyra = lyra
        self.options = options
        self.send = send
        model = lyra.model
        start = clock.now
        sampler = Sampler(options.sampling)
        self.recordings = recordings
        stop = StopText(options.stop)
        text = StreamingDecoder(lyra.tokenizer, skipSpecialTokens: true)
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
        guard !stop.wasHit else {
            reason = .stop
            return false
        }
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

    private mutating func emit(_ delta: String) { show(stop.pass(delta)) }

    private mutating func show(_ delta: String) {
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
        show(stop.finish())
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
