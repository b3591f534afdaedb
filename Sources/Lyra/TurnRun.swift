// The state of one reply in the making, token by token.
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
    /// Final state of the newest token, [1, hidden], and what it says about the next, [1, vocabulary].
    var hidden = MLXArray.zeros([0])
    var logits = MLXArray.zeros([0])
    var guesses: Guesses?
    var repetition: RepetitionDetector?
    var reason: Reply.FinishReason?
    var voice: Voice?
    /// Where the extractor dropped tokens.
    var readPrompt: ReadPrompt?

    init(lyra: isolated Lyra, options: ReplyOptions, send: @escaping @Sendable (ReplyEvent) -> Void) {
        self.lyra = lyra
        self.options = options
        self.send = send
        model = lyra.model
        start = clock.now
        sampler = Sampler(options.sampling)
        stop = StopText(options.stop)
        text = StreamingDecoder(lyra.tokenizer, skipSpecialTokens: true)
        if options.endsRepetition { repetition = RepetitionDetector() }
    }

    // MARK: Tokens

    /// One token; false when the reply has ended.
    mutating func step(_ state: inout ConversationState, on lyra: isolated Lyra) async throws -> Bool {
        guard generated.count < options.maximumTokens else {
            reason = .length
            return false
        }
        try Task.checkCancellation()
        var began = clock.now
        let values = logits.asArray(Float.self)
        guard values.allSatisfy(\.isFinite) else { throw NonFiniteLogits(step: generated.count) }
        if generated.isEmpty { options.trace?.record("logits", values) }
        options.trace?.append("hidden_states", hidden)
        let token = sampler(values)
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
        if ended || generated.count == options.maximumTokens {
            reason = ended ? .stop : .length
            return false
        }
        if let repeated = repetition?.append(token) {
            answer = lyra.tokenizer.decode(generated.dropLast(repeated), skipSpecialTokens: true)
            reason = .repetition
            return false
        }
        began = clock.now
        await advance(token, &state, on: lyra)
        state.cached += 1
        timings.add(.decode, clock.now - began)
        return true
    }

    /// Brings the token's state and logits: from a guess that has come true, or from the model.
    private mutating func advance(_ token: Int32, _ state: inout ConversationState, on lyra: isolated Lyra) async {
        if let known = guesses?.take(token) {
            (hidden, logits) = known
            usage.guessedTokens += 1
            return
        }
        forgetGuesses(&state)
        let room = options.maximumTokens - generated.count - 1
        let guess = guesses?.next(after: token, limit: room) ?? []
        var positions = Positions(startingAt: state.decoder.nextPosition)
        positions.appendRun(1 + guess.count)
        let input = Decoder.Input(
            embeddings: model.decoder.embed([token] + guess), positions: positions,
            isContext: Array(repeating: false, count: 1 + guess.count))
        let run = WaitingRun(input, adapter: adapter, state: state.decoder.take())
        await lyra.forward(run)
        state.decoder = run.state.take()
        (hidden, logits) = (run.hidden[0..<1], run.logits[0..<1])
        guesses?.verified(guess, run.hidden, run.logits)
    }

    /// Takes tokens out of the caches that were guessed and did not come.
    private mutating func forgetGuesses(_ state: inout ConversationState) {
        let wrong = guesses?.drop() ?? 0
        if wrong > 0 { state.decoder.forget(wrong) }
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
        forgetGuesses(&state)
        if reason == .length { emit(text.finish()) }
        if reason != .repetition { show(stop.finish()) }
        let began = clock.now
        if voice != nil {
            speak(voice?.finish() ?? [])
            timings.add(.speech, clock.now - began)
        }
        if options.explainsAnswer { explainAnswer(&state) }
        state.transcript.append(ChatMessage(.assistant, answer))
        (state.wasRebuilt, state.wasRechosen) = (false, false)
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

/// Tokens that were guessed and have gone through the model already, behind the newest one.
struct Guesses {
    private var lookup: PromptLookup
    private var ahead: ArraySlice<(token: Int32, hidden: MLXArray, logits: MLXArray)> = []
    private var guessed = 0

    /// - Parameters:
    ///   - ids: the conversation so far.
    ///   - prediction: what may follow it.
    init(_ ids: [Int32], prediction: [Int32]) {
        lookup = PromptLookup(prediction.isEmpty ? ids : Array(ids.suffix(3)) + prediction + [PromptLookup.end] + ids)
    }

    /// What follows the token, if it is the one that was guessed.
    mutating func take(_ token: Int32) -> (hidden: MLXArray, logits: MLXArray)? {
        guard let first = ahead.first, first.token == token else { return nil }
        ahead.removeFirst()
        lookup.append(token)
        return (first.hidden, first.logits)
    }

    /// Gives up what is left of the last guess; returns how many tokens that is.
    mutating func drop() -> Int {
        if guessed > 0 { lookup.learn(right: guessed - ahead.count, of: guessed) }
        defer { (ahead, guessed) = ([], 0) }
        return ahead.count
    }

    /// A guess at what follows the token.
    mutating func next(after token: Int32, limit: Int) -> [Int32] {
        lookup.append(token)
        return lookup.guess(limit: min(limit, PromptLookup.longest))
    }

    /// `hidden`, `logits`: rows for the token before the guess, and for each of the guess.
    mutating func verified(_ guess: [Int32], _ hidden: MLXArray, _ logits: MLXArray) {
        guessed = guess.count
        ahead = guess.enumerated().map { ($1, hidden[($0 + 1)..<($0 + 2)], logits[($0 + 1)..<($0 + 2)]) }[...]
    }
}
