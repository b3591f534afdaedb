// The measurements themselves, on the model's own thread.
import Foundation
import Lyra
import LyraModel
import MLX

struct BenchRun: Sendable {
    let lyra: Lyra
    let plan: BenchPlan

    func measure(into results: inout BenchResults) async throws {
        let (stages, precision) = (plan.stages, lyra.precision)
        if stages.contains(.speech) { try await speech(&results) }
        if stages.contains(.vision) { try await vision(&results) }
        if stages.contains(.prefill) { for length in plan.lengths { try await prefill(length, &results) } }
        if stages.contains(.decode) { try await decode(&results) }
        if stages.contains(.generator) { try await generator(&results) }
        if stages.contains(.vocoder) { try await vocoder(&results) }
        if stages.contains(.reply) { try await reply(&results) }
        if stages.contains(.contexts) { try await contexts(&results) }
        if stages.contains(.recording) { try await recording(&results) }
        results.peakMemory = Machine.peakMemory  // before the machine is measured, which takes memory too
        results.bandwidth = try await step("memory") { _ in try Device.current == .gpu ? Machine.deviceReadBandwidth() : Machine.readBandwidth() }
        results.product = try await step("matrix products") { _ in Machine.matrixProduct(precision) }
    }

    func step<T: Sendable>(_ label: String, _ body: @Sendable (LyraModel) throws -> T) async throws -> T {
        try Task.checkCancellation()
        return try await withSpinner("measuring \(label)") { try await lyra.withNetworks(body) }
    }

    /// Median seconds of the planned runs, after one that is not counted.
    private static func median(_ runs: Int, _ body: () throws -> Void) throws -> Double {
        var seconds: [Double] = []
        for run in 0...runs {
            try Task.checkCancellation()
            let began = ContinuousClock.now
            try body()
            if run > 0 { seconds.append((ContinuousClock.now - began) / .seconds(1)) }
        }
        return Statistics.median(seconds)
    }

    /// Noise that is the same on every machine.
    private static func noise(_ count: Int) -> [Float] {
        var state: UInt32 = 1
        return (0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return (Float(state >> 8) / Float(1 << 24) - 0.5) * 0.2
        }
    }

    // MARK: Encoders

    private func speech(_ results: inout BenchResults) async throws {
        guard let folder = lyra.location.speech else { return results.skip("speech encoding", "no speech tower") }
        let settings = try WhisperConfiguration.load(folder + "/config.json"), runs = plan.runs
        let (mel, encoding, configuration) = try await step("speech encoding") { model in
            let sound = Self.noise(model.logMel.windowSamples)
            let mel = try Self.median(runs) { model.logMel(sound).eval() }
            let window = model.logMel(sound)
            window.eval()
            let encoding = try Self.median(runs) { _ = model.project(try model.encodeWindow(window), adapter: .speech) }
            return (mel, encoding, model.configuration)
        }
        let seconds = Double(settings.positions * 2 * LogMel.hopSamples) / Double(LogMel.sampleRate)
        results.add("log-mel of \(Int(seconds)) s", key: "log_mel_seconds", mel, unit: "s")
        results.add(
            "speech encoding of \(Int(seconds)) s", key: "speech_encoding_seconds", encoding, unit: "s",
            operations: Work.speechWindow(settings, configuration), seconds: encoding,
            note: String(format: "%.1fx real time", seconds / encoding))
    }

    private func vision(_ results: inout BenchResults) async throws {
        guard lyra.location.vision != nil else { return results.skip("vision encoding", "no vision tower") }
        let runs = plan.runs
        let (seconds, work) = try await step("vision encoding") { model in
            let settings = try model.visionConfiguration()
            let pixels = Self.noise(448 * 448 * 3).map { UInt8((($0 + 0.1) * 1_270).rounded()) }
            let patches = Patches(
                frames: [pixels], size: PixelSize(height: 448, width: 448), vision: settings, processor: model.imageProcessor)
            let seconds = try Self.median(runs) { _ = try model.encode(patches) }
            return (seconds, Work.vision(settings, patches.grid))
        }
        results.add("vision encoding of 448 x 448", key: "vision_encoding_seconds", seconds, unit: "s", operations: work, seconds: seconds)
    }

    // MARK: Language model

    /// A run of ordinary tokens.
    static func input(_ model: LyraModel, _ count: Int) -> Decoder.Input {
        let most = max(1, min(model.configuration.vocabularySize - 1, 1_000))
        let ids = (0..<count).map { Int32(($0 * 7_919 + 13) % most) }
        var positions = Positions()
        positions.appendRun(count)
        return Decoder.Input(
            embeddings: model.decoder.embed(ids), positions: positions, isContext: Array(repeating: false, count: count))
    }

    private func prefill(_ length: Int, _ results: inout BenchResults) async throws {
        let plan = plan
        let (seconds, configuration) = try await step("prefill of \(length) tokens") { model in
            let input = Self.input(model, length)
            input.embeddings.eval()
            let seconds = try Self.median(plan.runs) {
                var state = model.decoder.newState()
                let hidden = try model.decoder(input, state: &state, adapter: plan.adapter) { _ in try Task.checkCancellation() }.hidden
                model.decoder.logits(hidden).eval()
            }
            return (seconds, model.configuration)
        }
        results.add(
            "prefill of \(length) tokens", key: "prefill_\(length)_tokens_per_second", Double(length) / seconds, unit: "tokens/s",
            operations: Work.prefill(configuration, tokens: length), seconds: seconds)
    }

    private func decode(_ results: inout BenchResults) async throws {
        let plan = plan
        let (perToken, bytes) = try await step("new tokens after \(plan.context)") { model in
            var state = model.decoder.newState()
            let hidden = try model.decoder(Self.input(model, plan.context), state: &state, adapter: plan.adapter).hidden
            hidden.eval()
            let mark = state.mark
            let bytes = model.decoder.weightBytes + state.filledBytes
            let seconds = try Self.median(plan.runs) {
                state.rewind(to: mark)
                _ = try Self.write(plan.tokens, after: hidden, model, &state, plan.adapter)
            }
            return (seconds / Double(plan.tokens), Double(bytes))
        }
        results.add(
            "new tokens after \(plan.context)", key: "decode_tokens_per_second", 1 / perToken, unit: "tokens/s",
            bytes: bytes, seconds: perToken, note: "of weights and cache")
    }

    // MARK: Speech

    private func generator(_ results: inout BenchResults) async throws {
        let runs = plan.runs, tokens = 32
        let measured: (Double, Double)? = try await step("speech generation") { model in
            guard let generator = model.generator, let vocoder = try? model.vocoder() else { return nil }
            let hidden = MLXArray(Self.noise(tokens * model.configuration.hiddenSize), [tokens, model.configuration.hiddenSize])
                .asType(model.precision.dtype)
            hidden.eval()
            var units: [Int32] = []
            let seconds = try Self.median(runs) {
                units = []
                var state = generator.newState()
                // Token by token, as they come while a reply is written.
                for i in 0..<tokens { units += generator.units(hidden[i..<(i + 1)], state: &state).units }
            }
            let frames = vocoder.durations(units).reduce(0, +)
            return (seconds / Double(tokens), Double(frames * vocoder.configuration.samplesPerFrame) / Double(vocoder.configuration.sampleRate) / Double(tokens))
        }
        guard let (seconds, sound) = measured else { return results.skip("speech generation", "no speech generator or vocoder") }
        results.add("speech generation per token", key: "speech_generation_seconds_per_token", seconds, unit: "s")
        if sound > 0 {
            results.add(
                "speech generation", key: "speech_generation_real_time_factor", seconds / sound, unit: "x",
                note: String(format: "of real time; %.2f s of sound a token", sound))
        }
    }

    private func vocoder(_ results: inout BenchResults) async throws {
        let runs = plan.runs
        let measured: (Double, Double)? = try await step("vocoder") { model in
            guard let vocoder = try? model.vocoder() else { return nil }
            let units = Int32(vocoder.configuration.units)
            let frames = (0..<250).map { Int32($0 * 37 + 11) % units }
            let seconds = try Self.median(runs) { _ = vocoder.waveform(frames: frames) }
            return (seconds, Double(frames.count * vocoder.configuration.samplesPerFrame) / Double(vocoder.configuration.sampleRate))
        }
        guard let (seconds, sound) = measured else { return results.skip("vocoder", "there is none") }
        results.add(
            "vocoder", key: "vocoder_real_time_factor", seconds / sound, unit: "x", note: String(format: "of real time; %.0f s at once", sound))
    }

    // MARK: A reply

    private func reply(_ results: inout BenchResults) async throws {
        guard lyra.location.speech != nil else { return results.skip("reply", "no speech tower") }
        var options = ReplyOptions()
        options.speaks = lyra.location.vocoder != nil
        options.maximumTokens = plan.tokens
        var text: [Double] = [], sound: [Double] = [], totals: [Double] = []
        let question = Self.noise(4 * LogMel.sampleRate)
        for run in 0...plan.runs {
            let reply = try await withSpinner("measuring a reply") {
                try await lyra.conversation().respond(to: [.samples(question)], options: options)
            }
            try Task.checkCancellation()
            guard run > 0 else { continue }
            text.append(reply.timings.firstText ?? Self.firstToken(reply))
            if let first = reply.timings.firstAudio { sound.append(first) }
            totals.append(reply.timings.total)
        }
        results.add("first text of a reply", key: "first_text_seconds", Statistics.median(text), unit: "s", note: "to a spoken question of 4 s")
        if !sound.isEmpty { results.add("first sound of a reply", key: "first_sound_seconds", Statistics.median(sound), unit: "s") }
        try await firstSound(&results)
        results.add("reply of \(plan.tokens) tokens", key: "reply_seconds", Statistics.median(totals), unit: "s")
    }
}

extension BenchRun {
    /// From the first token of an answer to its first sound, as a trained generator speaks: 10 units a token (50 frames a
    /// second, repeats merged). Random weights say a unit now and then, so what they say is computed and not used.
    private func firstSound(_ results: inout BenchResults) async throws {
        let plan = plan
        let measured: (seconds: Double, tokens: Int, text: Double)? = try await step("first sound") { model in
            guard let generator = model.generator, let network = try? model.vocoder() else { return nil }
            var state = model.decoder.newState()
            let start = try model.decoder(Self.input(model, plan.context), state: &state, adapter: plan.adapter).hidden
            start.eval()
            let mark = state.mark, classes = Int32(network.configuration.units)
            var tokens = 0
            let seconds = try Self.median(plan.runs) {
                state.rewind(to: mark)
                var hidden = start, memory = generator.newState(), vocoder = StreamingVocoder(network)
                tokens = 0
                while tokens < plan.context {
                    _ = generator.units(hidden, state: &memory)
                    let units = (0..<10).map { Int32(tokens * 10 + $0) * 37 % classes }
                    tokens += 1
                    if !vocoder.append(units).isEmpty { break }
                    hidden = try Self.write(1, after: hidden, model, &state, plan.adapter)
                }
            }
            let text = try Self.median(plan.runs) {
                state.rewind(to: mark)
                _ = try Self.write(8, after: start, model, &state, plan.adapter)
            }
            return (seconds, tokens, text)
        }
        guard let (seconds, tokens, text) = measured else { return }
        results.add(
            "first sound after first token", key: "first_sound_lag_seconds", seconds, unit: "s",
            note: String(format: "%d tokens of 10 units; 8 tokens of text take %.2f s", tokens, text))
    }

    /// When the first token was there, for random weights, whose tokens may not be text.
    private static func firstToken(_ reply: Reply) -> Double {
        let before: [Stage] = [.media, .speechEncoder, .visionEncoder, .prefill]
        let decode = (reply.timings.seconds[Stage.decode.rawValue] ?? 0) / Double(max(1, reply.usage.completionTokens))
        return before.reduce(decode) { $0 + (reply.timings.seconds[$1.rawValue] ?? 0) }
    }
}

enum Statistics {
    /// The middle value, or the mean of the two in the middle; 0 of none.
    static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted(), middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
