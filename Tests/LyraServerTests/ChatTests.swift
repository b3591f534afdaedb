// Chat completions: whole and streamed, with media in and sound out, and what is refused.
import Foundation
import Lyra
import LyraMedia
@testable import LyraServer
import NIOHTTP1
import Testing

@Suite(.serialized) struct ChatTests {
    @Test func answersAsTheModelDoes() async throws {
        let lyra = try await Fixture.lyra.value
        var options = ReplyOptions()
        options.maximumTokens = 12
        let expected = try await lyra.conversation().respond(to: [.text("Hello?")], options: options)
        try await RunningServer.with { server in
            let answer = try await server.chat("Hello?")
            #expect(answer.status == 200)
            let body = try answer.json()
            #expect(body["object"] == "chat.completion")
            #expect(body["choices"]?.list?.first?["message"]?["content"]?.text == expected.text)
            #expect(body["choices"]?.list?.first?["finish_reason"]?.text == expected.finishReason.rawValue)
            #expect(body["usage"]?["prompt_tokens"]?.number == Double(expected.usage.promptTokens))
            #expect(body["usage"]?["completion_tokens"]?.number == Double(expected.usage.completionTokens))
        }
    }

    @Test func aStreamIsTheSameReplyInPieces() async throws {
        try await RunningServer.with { server in
            let whole = try await server.chat("Tell me more.").json()["choices"]?.list?.first?["message"]?["content"]?.text
            let stream = try await server.chat(
                "Tell me more.", ["stream": true, "stream_options": ["include_usage": true], "lyra": ["progress": true]])
            #expect(stream.headers.first(name: "Content-Type")?.hasPrefix("text/event-stream") == true)
            let events = try stream.events()
            let text = events.compactMap { $0["choices"]?.list?.first?["delta"]?["content"]?.text }.joined()
            #expect(text == whole)
            #expect(events.first?["choices"]?.list?.first?["delta"]?["role"] == "assistant")
            #expect(events.contains { $0["lyra"]?["progress"]?["stage"] == "prefill" })
            #expect(events.last?["choices"] == [])
            #expect((events.last?["usage"]?["completion_tokens"]?.number ?? 0) > 0)
            #expect(events.dropLast().last?["choices"]?.list?.first?["finish_reason"]?.text != nil)
        }
    }

    @Test func historyIsRead() async throws {
        let lyra = try await Fixture.lyra.value
        var options = ReplyOptions()
        options.maximumTokens = 12
        let conversation = lyra.conversation(system: "Be brief.")
        try await conversation.add([.text("My name is Ada.")], answer: "Hello, Ada.", options: options)
        let expected = try await conversation.respond(to: [.text("Who am I?")], options: options)
        try await RunningServer.with { server in
            let answer = try await server.post(
                "/v1/chat/completions",
                [
                    "model": "lyra",
                    "messages": [
                        ["role": "system", "content": "Be brief."], ["role": "user", "content": "My name is Ada."],
                        ["role": "assistant", "content": "Hello, Ada."], ["role": "user", "content": [["type": "text", "text": "Who am I?"]]],
                    ],
                ])
            #expect(try answer.json()["choices"]?.list?.first?["message"]?["content"]?.text == expected.text)
        }
    }

    @Test func picturesAndSoundComeInAndSpeechGoesOut() async throws {
        let image = try Fixture.base64("img1.png"), question = try Fixture.base64("question_short.wav")
        try await RunningServer.with { server in
            let content: JSONValue = [
                ["type": "image_url", "image_url": ["url": .text("data:image/png;base64,\(image)")]],
                ["type": "input_audio", "input_audio": ["data": .text(question), "format": "wav"]],
            ]
            let spoken: [String: JSONValue] = ["modalities": ["text", "audio"], "audio": ["voice": "alloy", "format": "wav"]]
            let answer = try await server.chat(content, spoken)
            let body = try answer.json()
            let message = body["choices"]?.list?.first?["message"]
            let audio = try #require(message?["audio"])
            #expect(audio["transcript"] == message?["content"])
            #expect((body["usage"]?["prompt_tokens_details"]?["audio_tokens"]?.number ?? 0) > 0)
            #expect((body["usage"]?["prompt_tokens_details"]?["image_tokens"]?.number ?? 0) > 0)
            let wave = try AudioReader.readAll(.bytes(Array(try #require(Data(base64Encoded: audio["data"]?.text ?? "")))))
            #expect(!wave.isEmpty)

            // The same, streamed as raw samples at 24 kHz: as long, and with the same words.
            let events = try await server.chat(content, spoken.merging(["stream": true, "audio": ["voice": "x", "format": "pcm16"]]) { $1 }).events()
            let pieces = events.compactMap { $0["choices"]?.list?.first?["delta"]?["audio"] }
            #expect(pieces.compactMap { $0["transcript"]?.text }.joined() == audio["transcript"]?.text)
            let samples = pieces.compactMap { $0["data"]?.text.flatMap { Data(base64Encoded: $0) }?.count }.reduce(0, +) / 2
            let seconds: (Double, Double) = (Double(samples) / 24_000, Double(wave.count) / 16_000)
            #expect(abs(seconds.0 - seconds.1) < 0.001)
            #expect(Set(pieces.compactMap { $0["id"]?.text }).count == 1)

            // The spoken reply can be named in place of its words.
            let id = try #require(audio["id"])
            let next = try await server.post(
                "/v1/chat/completions",
                [
                    "model": "lyra",
                    "messages": [
                        ["role": "user", "content": content], ["role": "assistant", "audio": ["id": id]], ["role": "user", "content": "Again?"],
                    ],
                ])
            #expect(next.status == 200, "\(next.text)")
        }
    }

    @Test func evidenceIsTold() async throws {
        let image = try Fixture.base64("img1.png")
        try await RunningServer.with { server in
            let answer = try await server.chat(
                [["type": "image_url", "image_url": .text("data:image/png;base64,\(image)")], ["type": "text", "text": "What is it?"]],
                ["lyra": ["evidence": true, "extract": ["blocks": 2, "keep_rate": .number(0.5)]]])
            let medium = try answer.json()["lyra"]?["evidence"]?["media"]?.list?.first
            #expect(medium?["kind"] == "vision")
            #expect(medium?["kept_share"]?.number != nil)
            #expect(medium?["pieces"]?.list?.first?["x"]?.number == 0)
        }
    }

    @Test func samplingFollowsTheSeedAndStopsAtStops() async throws {
        try await RunningServer.with { server in
            func text(_ more: [String: JSONValue]) async throws -> String {
                try await server.chat("Say something.", more).json()["choices"]?.list?.first?["message"]?["content"]?.text ?? ""
            }
            let warm: [String: JSONValue] = ["temperature": 1, "seed": 7]
            let first = try await text(warm)
            #expect(try await text(warm) == first)
            #expect(try await text(["temperature": 1, "seed": 8]) != first)
            let greedy = try await text([:])
            let stop = String(greedy.dropFirst(greedy.count / 2).prefix(2))
            try #require(stop.count == 2)
            let stopped = try await text(["stop": .text(stop)])
            #expect(greedy.hasPrefix(stopped) && !stopped.contains(stop) && stopped.count < greedy.count)
        }
    }

    @Test(arguments: [
        (#"{"model": "lyra", "messages": ["#, 400, "invalid_json", nil),
        (#"{"messages": [{"role": "user", "content": "x"}]}"#, 400, "missing_required_parameter", "model"),
        (#"{"model": "gpt-5", "messages": [{"role": "user", "content": "x"}]}"#, 404, "model_not_found", "model"),
        (#"{"model": "lyra", "messages": []}"#, 400, "invalid_value", "messages"),
        (#"{"model": "lyra", "messages": [{"role": "robot", "content": "x"}]}"#, 400, "invalid_value", "messages[0].role"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": 7}]}"#, 400, "invalid_type", "messages[0].content"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": "x"}], "n": 2}"#, 400, "unsupported_parameter", "n"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": "x"}], "temperature": 9}"#, 400, "invalid_value", "temperature"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 0}"#, 400, "invalid_value", "max_completion_tokens"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": "x"}], "modalities": ["smell"]}"#, 400, "invalid_value", "modalities"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": "x"}], "modalities": ["text", "audio"], "audio": {"format": "aac"}}"#, 400, "invalid_value", "audio.format"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,####"}}]}]}"#, 400, "invalid_base64", "messages[0].content[0].image_url.url"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}]}]}"#, 400, "invalid_media", "messages[0].content[0].image_url.url"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}]}]}"#, 400, "remote_media_disabled", "messages[0].content[0].image_url.url"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]}"#, 400, "invalid_url", "messages[0].content[0].image_url.url"),
        (#"{"model": "lyra", "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "../../etc/passwd"}}]}]}"#, 404, "file_not_found", "id"),
    ] as [(String, Int, String, String?)])
    func mistakesAreNamed(body: String, status: Int, code: String, param: String?) async throws {
        try await RunningServer.with { server in
            let answer = try await server.send(.POST, "/v1/chat/completions", headers: ["Content-Type": "application/json"], body: Array(body.utf8))
            #expect(answer.status == status)
            let error = try answer.json()["error"]
            #expect(error?["code"]?.text == code, "\(answer.text)")
            #expect(error?["param"]?.text == param)
            #expect(error?["type"]?.text == "invalid_request_error" && error?["message"]?.text?.isEmpty == false)
        }
    }
}
