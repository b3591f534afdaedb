// Realtime conversations: events in and out, speech found and answered, interruptions and what is remembered.
import Foundation
import Lyra
import LyraMedia
@testable import LyraServer
import Logging
import Synchronization
import Testing

@Suite(.serialized) struct RealtimeTests {
    /// A session without a socket.
    private final class Talk: Sendable {
        let session: RealtimeSession
        private let events: Sent

        private final class Sent: Sendable {
            let all = Mutex<[JSONValue]>([])
        }

        init(_ change: (inout ServerOptions) -> Void = { _ in }) async throws {
            var options = ServerOptions()
            options.maximumTokens = 12
            change(&options)
            let sent = Sent()
            events = sent
            let service = await Service(lyra: try await Fixture.lyra.value, options: options, logger: Logger(label: "test"))
            session = RealtimeSession(service: service, client: "a", owner: "everybody") { event in sent.all.withLock { $0.append(event) } }
            await session.begin()
        }

        var all: [JSONValue] { events.all.withLock { $0 } }
        var types: [String] { all.compactMap { $0["type"]?.text } }
        func last(_ type: String) -> JSONValue? { all.last { $0["type"]?.text == type } }
        func count(_ type: String) -> Int { types.count { $0 == type } }

        func send(_ event: JSONValue) async { await session.receive(Array(event.encoded.utf8)) }
        func waits(for type: String, count: Int = 1) async -> Bool { await eventually(within: .seconds(30)) { self.count(type) >= count } }

        func say(_ samples: [Float]) async {
            for start in stride(from: 0, to: samples.count, by: 2_400) {
                let piece = Array(samples[start..<min(start + 2_400, samples.count)])
                await send(["type": "input_audio_buffer.append", "audio": .text(Data(PCM.bytes(piece)).base64EncodedString())])
            }
        }
    }

    /// Samples at the session's rate.
    private static func speech(_ name: String) throws -> [Float] {
        try AudioReader.readAll(.bytes(Fixture.bytes(name)), sampleRate: RealtimeSettings.rate)
    }
    private static func silence(_ seconds: Double) -> [Float] {
        (0..<Int(seconds * Double(RealtimeSettings.rate))).map { Float($0 &* 7_919 % 101 - 50) * 1e-6 }
    }

    @Test func aQuestionInWritingIsAnswered() async throws {
        let talk = try await Talk()
        #expect(talk.types == ["session.created"])
        await talk.send(["type": "session.update", "session": ["type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."]])
        #expect(talk.last("session.updated")?["session"]?["instructions"] == "Be brief.")
        await talk.send([
            "type": "conversation.item.create",
            "item": ["type": "message", "role": "user", "content": [["type": "input_text", "text": "Hello?"]]],
        ])
        await talk.send(["type": "response.create"])
        #expect(await talk.waits(for: "response.done"))
        #expect(talk.types.filter { $0 != "response.output_text.delta" } == [
            "session.created", "session.updated", "conversation.item.added", "conversation.item.done", "response.created",
            "response.output_item.added", "conversation.item.added", "response.content_part.added", "response.output_text.done",
            "response.content_part.done", "response.output_item.done", "conversation.item.done", "response.done",
        ])
        let text = talk.all.filter { $0["type"] == "response.output_text.delta" }.compactMap { $0["delta"]?.text }.joined()
        #expect(talk.last("response.output_text.done")?["text"]?.text == text)
        var options = ReplyOptions()
        options.maximumTokens = 12
        let expected = try await Fixture.lyra.value.conversation(system: "Be brief.").respond(to: [.text("Hello?")], options: options)
        #expect(text == expected.text)
        #expect((talk.last("response.done")?["response"]?["usage"]?["output_tokens"]?.number ?? 0) == Double(expected.usage.completionTokens))
    }

    @Test func speechIsFoundAndAnsweredAloud() async throws {
        let talk = try await Talk()
        await talk.send(["type": "session.update", "session": ["audio": ["input": ["transcription": ["model": "lyra"]]]]])
        await talk.say(Self.silence(0.5) + (try Self.speech("question_short.wav")) + Self.silence(1))
        #expect(talk.count("input_audio_buffer.speech_started") == 1 && talk.count("input_audio_buffer.speech_stopped") == 1, "\(talk.types)")
        let start = talk.last("input_audio_buffer.speech_started"), stop = talk.last("input_audio_buffer.speech_stopped")
        #expect((start?["audio_start_ms"]?.number ?? 0) < (stop?["audio_end_ms"]?.number ?? 0))
        #expect(await talk.waits(for: "response.done"))
        #expect(talk.last("response.done")?["response"]?["status"]?.text != "failed")
        #expect(talk.count("response.output_audio.delta") > 0)
        #expect(await talk.waits(for: "conversation.item.input_audio_transcription.completed"))
        #expect((talk.last("response.done")?["response"]?["usage"]?["input_token_details"]?["audio_tokens"]?.number ?? 0) == 300)
    }

    @Test func whoeverSpeaksInterrupts() async throws {
        let talk = try await Talk { $0.maximumTokens = 100_000 }
        // Without an end: noise of a high temperature goes on and on.
        await talk.send(["type": "session.update", "session": ["temperature": .number(1.9)]])
        let question = try Self.speech("question_short.wav")
        await talk.say(Self.silence(0.5) + question + Self.silence(1))
        #expect(await talk.waits(for: "response.output_audio_transcript.delta", count: 3))
        await talk.say(question + Self.silence(1))
        #expect(await talk.waits(for: "response.done"))
        let first = try #require(talk.all.first { $0["type"] == "response.done" }?["response"])
        #expect(first["status"] == "cancelled" && first["status_details"]?["reason"] == "turn_detected")
        // The second reply follows by itself.
        #expect(await talk.waits(for: "response.created", count: 2))
        #expect(await talk.waits(for: "response.output_audio_transcript.delta", count: 4))
        await talk.send(["type": "response.cancel"])
        #expect(await talk.waits(for: "response.done", count: 2))
        await talk.session.end()
    }

    @Test func onlyWhatWasHeardIsRemembered() async throws {
        let talk = try await Talk()
        await talk.say(Self.silence(0.5) + (try Self.speech("question_short.wav")) + Self.silence(1))
        #expect(await talk.waits(for: "response.done"))
        let item = try #require(talk.last("response.done")?["response"]?["output"]?.list?.first)
        let id = try #require(item["id"]?.text)
        await talk.send(["type": "conversation.item.truncate", "item_id": .text(id), "content_index": 0, "audio_end_ms": 40])
        await talk.send(["type": "conversation.item.retrieve", "item_id": .text(id)])
        let heard = talk.last("conversation.item.retrieved")?["item"]?["content"]?.list?.first?["transcript"]?.text ?? ""
        let whole = item["content"]?.list?.first?["transcript"]?.text ?? ""
        #expect(whole.hasPrefix(heard) && heard.count < whole.count)
        await talk.send([
            "type": "conversation.item.create",
            "item": ["type": "message", "role": "user", "content": [["type": "input_text", "text": "Go on."]]],
        ])
        await talk.send(["type": "response.create", "response": ["output_modalities": ["text"]]])
        #expect(await talk.waits(for: "response.done", count: 2))
        #expect(talk.last("response.done")?["response"]?["status"]?.text != "failed")
    }

    @Test func buffersAreCommittedByHand() async throws {
        let talk = try await Talk()
        await talk.send(["type": "session.update", "session": ["audio": ["input": ["turn_detection": nil]]]])
        await talk.send(["type": "input_audio_buffer.commit"])
        #expect(talk.last("error")?["error"]?["code"] == "input_audio_buffer_commit_empty")
        await talk.say(try Self.speech("question_short.wav"))
        await talk.send(["type": "input_audio_buffer.clear"])
        await talk.say(try Self.speech("question_short.wav"))
        await talk.send(["type": "input_audio_buffer.commit"])
        #expect(talk.count("input_audio_buffer.speech_started") == 0 && talk.count("input_audio_buffer.committed") == 1)
        await talk.send(["type": "response.create"])
        #expect(await talk.waits(for: "response.done"))
    }

    @Test(arguments: [
        "", "[]", "{", #"{"type": "dance"}"#, #"{"type": "session.update"}"#,
        #"{"type": "session.update", "session": {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}}}"#,
        #"{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}"#,
        #"{"type": "input_audio_buffer.append", "audio": "?"}"#, #"{"type": "conversation.item.create"}"#,
        #"{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []}}"#,
        #"{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "http://x"}]}}"#,
        #"{"type": "conversation.item.delete", "item_id": "none"}"#, #"{"type": "response.cancel"}"#,
        #"{"type": "response.create", "response": {"max_output_tokens": -1}}"#,
    ])
    func mistakesAreToldAndSurvived(event: String) async throws {
        let talk = try await Talk()
        await talk.session.receive(Array(event.utf8))
        #expect(talk.types == ["session.created", "error"])
        await talk.send(["type": "session.update", "session": ["instructions": "x", "event_id": "e"]])
        #expect(talk.types.last == "session.updated")
    }

    @Test func settingsOfTheFirstVersionAreUnderstood() throws {
        var settings = RealtimeSettings(id: "s", model: "lyra", limit: 100)
        try settings.update([
            "modalities": ["text"], "input_audio_format": "pcm16", "max_response_output_tokens": 7,
            "turn_detection": ["type": "server_vad", "silence_duration_ms": 900, "create_response": false],
        ])
        #expect(!settings.speaks && settings.maximumTokens == 7 && !settings.createsResponse)
        #expect(settings.detection?.silenceDuration == 0.9)
        try settings.update(["turn_detection": nil])
        #expect(settings.detection == nil)
    }
}
