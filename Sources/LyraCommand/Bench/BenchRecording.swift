// A long recording, start to end: what its first question costs, and the next ones.
import Foundation
import Lyra
import LyraModel

extension BenchRun {
    func recording(_ results: inout BenchResults) async throws {
        guard lyra.location.speech != nil else { return results.skip("recording", "no speech tower") }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-bench-\(getpid()).wav").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        PartialFiles.shared.expectFolder(path)
        try NoiseRecording.write(minutes: plan.recordingMinutes, to: path)
        var options = ReplyOptions()
        options.maximumTokens = plan.tokens
        options.guessesAhead = false
        let layers = await lyra.withNetworks { $0.configuration.layers }
        options.extractor = plan.recordingExtraction.map { ExtractorOptions(blocks: $0.blocks, keepRate: $0.keepRate, layers: layers) }
        Machine.resetPeakMemory()
        let question: [Part] = [.speech(.file(path)), .text("What was decided at the end?")]
        let talk = lyra.conversation(), setting = plan.recordingExtraction?.name ?? "no extractor"
        let first = try await ask(talk, question, options, "a recording of \(plan.recordingMinutes) minutes")
        let memory = Machine.peakMemory
        func seconds(_ reply: Reply, _ stages: Stage...) -> Double { stages.reduce(0) { $0 + (reply.timings.seconds[$1.rawValue] ?? 0) } }
        let length = "\(BenchResults.number(Double(plan.recordingMinutes))) min"
        let llm = seconds(first, .prefill, .decode)
        results.add("recording of \(length), decoding", key: "recording_media_seconds", seconds(first, .media), unit: "s")
        results.add(
            "recording, encoding", key: "recording_encoding_seconds", seconds(first, .speechEncoder), unit: "s",
            note: "\(first.usage.speechWindows) windows")
        results.add(
            "recording, prefill", key: "recording_prefill_seconds", seconds(first, .prefill), unit: "s",
            note: "\(first.usage.promptTokens) tokens, \(setting)")
        results.add("recording, \(plan.tokens) tokens", key: "recording_decode_seconds", seconds(first, .decode), unit: "s")
        results.add("recording, peak memory", key: "recording_memory_bytes", Double(memory) / 1e9, unit: "GB")

        let next = try await ask(talk, [.text("And who said so?")], options, "the next question")
        let nextTime = seconds(next, .prefill, .decode)
        results.add(
            "next question", key: "recording_next_question_seconds", nextTime, unit: "s",
            note: String(format: "%.3f of the first one's LLM time", nextTime / llm))
        results.note("recording_next_question_share", nextTime / llm)
        let other = try await ask(
            lyra.conversation(), [.speech(.file(path)), .text("How did it begin?")], options, "another conversation")
        let otherTime = seconds(other, .prefill, .decode)
        results.add(
            "another conversation", key: "recording_other_question_seconds", otherTime, unit: "s",
            note: String(
                format: "%.3f of the first one's LLM time; encoding %.1f s", otherTime / llm, seconds(other, .speechEncoder, .media)))
        results.note("recording_other_question_share", otherTime / llm)
    }

    private func ask(_ talk: Conversation, _ parts: [Part], _ options: ReplyOptions, _ label: String) async throws -> Reply {
        let began = ContinuousClock.now
        for try await event in talk.reply(to: parts, options: options) {
            switch event {
            case .progress(let stage, let share):
                let elapsed = (ContinuousClock.now - began) / .seconds(1)
                Terminal.shared.draw(
                    ProgressLine(label: "measuring \(label): \(stage.rawValue)", fraction: share, elapsed: elapsed)
                        .text(columns: Terminal.columns))
            case .done(let reply):
                Terminal.shared.clearProgress()
                return reply
            default: continue
            }
        }
        throw CancellationError()
    }
}

/// A wav file of soft noise, different in every second, so that no window is like another.
private enum NoiseRecording {
    static func write(minutes: Int, to path: String) throws {
        let rate = LogMel.sampleRate, seconds = minutes * 60, bytes = seconds * rate * 2
        guard bytes < Int(UInt32.max) - 64 else { throw UsageError("--recording is \(minutes); a wav file holds 2,200 minutes at most") }
        func number(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        let header: [UInt8] =
            Array("RIFF".utf8) + number(36 + bytes, 4) + Array("WAVEfmt ".utf8) + number(16, 4) + number(1, 2) + number(1, 2)
            + number(rate, 4) + number(rate * 2, 4) + number(2, 2) + number(16, 2) + Array("data".utf8) + number(bytes, 4)
        guard FileManager.default.createFile(atPath: path, contents: Data(header)), let file = FileHandle(forWritingAtPath: path) else {
            throw WriteFailure(path: path, reason: "it cannot be made")
        }
        try file.seekToEnd()
        var state: UInt64 = 1
        for _ in 0..<seconds {
            let samples = (0..<rate).map { _ -> Int16 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int16(truncatingIfNeeded: state >> 52) - 2_048
            }
            try samples.withUnsafeBytes { try file.write(contentsOf: $0) }
        }
        try file.close()
    }
}
