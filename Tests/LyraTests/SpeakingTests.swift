// Speaking a text, recordings that are encoded while they come in, texts that end a reply.
import Foundation
@testable import Lyra
import LyraMedia
@testable import LyraModel
import LyraText
import Synchronization
import Testing

@Suite(.serialized) struct SpeakingTests {
    /// The answer's tokens, fed back, leave the states that made them: the same units as the reply's own.
    @Test func aFedAnswerSoundsAsTheReply() async throws {
        let lyra = try await Fixture.open()
        let reply = try await lyra.conversation().respond(to: [.text("Hello?")], options: Fixture.options(20, speaks: true))
        let units = try #require(reply.units)
        #expect(!units.isEmpty)
        let prompt = try await ChatTemplate().encode([ChatMessage(.user, [.text("Hello?")])], with: lyra.tokenizer).ids
        let seconds = Mutex(0.0)
        // The last token is not fed, only predicted: that is the end token where the model ended.
        let spoken = try await lyra.units(of: reply.tokenIDs, after: prompt) { chunk in
            seconds.withLock { $0 += Double(chunk.samples.count) / Double(chunk.sampleRate) }
        }
        #expect(spoken == units)
        #expect(abs(seconds.withLock { $0 } - reply.usage.spokenSeconds) < 1e-9)
    }

    @Test func textsOfAnyLengthAreSpoken() async throws {
        let lyra = try await Fixture.open()
        var samples = 0
        for try await chunk in lyra.speak("One. Two! " + String(repeating: "x", count: 500)) { samples += chunk.samples.count }
        #expect(samples > 0)
        for try await _ in lyra.speak(" ") { Issue.record("spoke") }
    }

    @Test func textsAreCutAtSentences() {
        #expect(SpokenText.pieces("Hello there. How are you?\nFine") == ["Hello there.", "How are you?\nFine"])
        #expect(SpokenText.pieces("") == [])
        let long = Array(repeating: "word", count: 1_000).joined(separator: " ")
        let pieces = SpokenText.pieces(long)
        #expect(pieces.allSatisfy { $0.count <= SpokenText.limit } && pieces.joined(separator: " ") == long)
        #expect(SpokenText.pieces(String(repeating: "a", count: 1_000)).map(\.count).reduce(0, +) == 1_000)
    }

    @Test(arguments: ["question_short.wav", "long"]) func aRecordingInPiecesIsTheRecording(name: String) async throws {
        let lyra = try await Fixture.open()
        var samples = try AudioReader.readAll(Fixture.input(name == "long" ? "statement.wav" : name))
        if name == "long" { samples = Array(repeating: samples, count: 1 + 40 * 16_000 / samples.count).flatMap { $0 } }
        let expected = try await lyra.conversation().respond(to: [.samples(samples)], options: Fixture.options())
        let recording = lyra.recording()
        for start in stride(from: 0, to: samples.count, by: 7_777) {
            try await recording.append(Array(samples[start..<min(start + 7_777, samples.count)]))
            if start == 7_777 { try await recording.encodeAhead() }
        }
        #expect(abs(recording.duration - Double(samples.count) / 16_000) < 1e-9)
        try await recording.encodeAhead()
        for _ in 0..<2 {
            let reply = try await lyra.conversation().respond(to: [.recording(recording)], options: Fixture.options())
            #expect(reply.tokenIDs == expected.tokenIDs && reply.adapter == expected.adapter)
            #expect(reply.usage.speechSeconds == expected.usage.speechSeconds)
        }
    }

    @Test func recordingsAreForgottenAndEmptyOnesRefused() async throws {
        let lyra = try await Fixture.open()
        do {
            let recording = lyra.recording()
            await #expect(throws: MediaUseError.self) {
                try await lyra.conversation().respond(to: [.recording(recording)], options: Fixture.options())
            }
            try await recording.append([Float](repeating: 0.1, count: 1_600))
            #expect(await lyra.openRecordings == 1)
        }
        for _ in 0..<200 where await lyra.openRecordings > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(await lyra.openRecordings == 0)
    }

    @Test func stopTextsEndAReply() async throws {
        let lyra = try await Fixture.open()
        let whole = try await lyra.conversation().respond(to: [.text("Hello?")], options: Fixture.options(20))
        var options = Fixture.options(20)
        options.stop = ["never there", String(whole.text.dropFirst(3).prefix(2))]
        let conversation = lyra.conversation()
        let cut = try await conversation.respond(to: [.text("Hello?")], options: options)
        #expect(whole.text.hasPrefix(cut.text) && cut.finishReason == .stop)
        #expect(cut.text.count < whole.text.count && !options.stop.contains { cut.text.contains($0) })
        #expect(try await conversation.respond(to: [.text("And?")], options: Fixture.options()).usage.cachedTokens > 0)
    }

    @Test func whatMightBecomeAStopIsHeldBack() {
        var stop = StopText(["END", "##"])
        #expect(stop.pass("a E") == "a ")
        #expect(stop.pass("N") == "")
        #expect(stop.pass("x#") == "ENx")
        #expect(stop.finish() == "#")
        var hit = StopText(["END", "##"])
        #expect(hit.pass("one E") == "one ")
        #expect(hit.pass("ND two") == "" && hit.wasHit && hit.finish() == "")
        var none = StopText([])
        #expect(none.pass("as it is") == "as it is")
    }
}

extension Lyra {
    var openRecordings: Int { recordings.count }

    func units(of answer: [Int32], after prompt: [Int32], send: @Sendable (AudioChunk) -> Void) async throws -> [Int32] {
        try await speak(answer, after: prompt, send: send)
    }
}
