// Transcriptions, speech and files.
import Foundation
import Lyra
import LyraMedia
@testable import LyraServer
import NIOHTTP1
import Testing

@Suite(.serialized) struct AudioRouteTests {
    @Test func transcribesAsTheLibraryDoes() async throws {
        let recording = try Fixture.bytes("statement.wav")
        var transcriber = Transcriber(lyra: try await Fixture.lyra.value)
        transcriber.windowSeconds = 30
        var segments: [TranscriptSegment] = []
        try await transcriber.transcribe(.bytes(recording)) { if case .segment(let segment, _) = $0 { segments.append(segment) } }
        let text = segments.map(\.text).joined(separator: " "), length = segments.last?.end ?? 0
        try await RunningServer.with { server in
            func transcribe(_ format: String, _ more: [String: String] = [:]) async throws -> RunningServer.Answer {
                try await server.form(
                    "/v1/audio/transcriptions", file: ("statement.wav", recording),
                    ["model": "lyra", "response_format": format].merging(more) { $1 })
            }
            #expect(try await transcribe("json").json()["text"]?.text == text)
            #expect(try await transcribe("text").text == text + "\n")
            #expect(try await transcribe("srt").text.hasPrefix("1\n00:00:00,000 --> 00:00:"))
            #expect(try await transcribe("vtt").text.hasPrefix("WEBVTT\n\n00:00:00.000 --> "))
            let verbose = try await transcribe("verbose_json").json()
            #expect(verbose["segments"]?.list?.count == 1)
            #expect(verbose["duration"]?.number == length)
            let events = try await transcribe("json", ["stream": "true"]).events()
            #expect(events.last?["type"] == "transcript.text.done" && events.last?["text"]?.text == text)
            #expect(try await transcribe("pdf").status == 400)
        }
    }

    @Test func longRecordingsAreUploadedOnceAndAskedTwice() async throws {
        let samples = try AudioReader.readAll(.bytes(Fixture.bytes("statement.wav")))
        let long = Array(repeating: samples, count: 2 + 32 * 16_000 / samples.count).flatMap { $0 }
        let encoder = try AudioEncoder(format: .flac, sampleRate: 16_000)
        let file = try encoder.append(long) + encoder.finish()
        try await RunningServer.with { server in
            let stored = try await server.form("/v1/files", file: ("talk.flac", file), ["purpose": "user_data"]).json()
            #expect(stored["kind"] == "sound")
            #expect(abs((stored["seconds"]?.number ?? 0) - Double(long.count) / 16_000) < 0.01)
            let id = try #require(stored["id"]?.text)
            let answer = try await server.chat([["type": "file", "file": ["file_id": .text(id)]], ["type": "text", "text": "Who speaks?"]])
            #expect((try answer.json()["usage"]?["prompt_tokens_details"]?["audio_tokens"]?.number ?? 0) >= 600)
            let transcript = try await server.form(
                "/v1/audio/transcriptions", file: nil, ["model": "lyra", "file_id": id, "response_format": "verbose_json"])
            #expect((try transcript.json()["segments"]?.list?.count ?? 0) >= 2)
            #expect(try await server.get("/v1/files").json()["data"]?.list?.count == 1)
            #expect(try await server.get("/v1/files/\(id)/content").bytes == file)
            #expect(try await server.send(.DELETE, "/v1/files/\(id)").json()["deleted"] == true)
            #expect(try await server.get("/v1/files/\(id)").status == 404)
        }
    }

    @Test func filesBelongToTheirKey() async throws {
        let picture = try Fixture.bytes("img1.png")
        try await RunningServer.with { $0.apiKeys = ["first", "second"] } _: { server in
            let id = try #require(try await server.form("/v1/files", file: ("a.png", picture)).json()["id"]?.text)
            let stranger = RunningServer(server: server.server, port: server.port, key: "second")
            #expect(try await stranger.get("/v1/files/\(id)").status == 404)
            #expect(try await stranger.get("/v1/files").json()["data"] == [])
            #expect(try await server.get("/v1/files/..%2F..%2Flock").status == 404)
        }
    }

    @Test func speaksInEveryFormat() async throws {
        try await RunningServer.with { server in
            var lengths: [Double] = []
            for format in ["wav", "mp3", "opus", "flac"] {
                let answer = try await server.post(
                    "/v1/audio/speech", ["model": "lyra", "input": "One. Two.", "voice": "alloy", "response_format": .text(format)])
                #expect(answer.status == 200, "\(answer.text.prefix(200))")
                lengths.append(Double(try AudioReader.readAll(.bytes(answer.bytes)).count) / 16_000)
            }
            let raw = try await server.post("/v1/audio/speech", ["model": "lyra", "input": "One. Two.", "voice": "x", "response_format": "pcm"])
            lengths.append(Double(raw.bytes.count) / 48_000)
            #expect(lengths[0] > 0.1)
            for length in lengths { #expect(abs(length - lengths[0]) < 0.12, "\(lengths)") }
            let events = try await server.post(
                "/v1/audio/speech", ["model": "lyra", "input": "One. Two.", "voice": "x", "response_format": "pcm", "stream_format": "sse"]
            ).events()
            #expect(events.last?["type"] == "speech.audio.done")
            let bytes = events.compactMap { $0["audio"]?.text.flatMap { Data(base64Encoded: $0) } }.reduce(Data(), +)
            #expect(Array(bytes) == raw.bytes)
            #expect(try await server.post("/v1/audio/speech", ["model": "lyra", "input": "  ", "voice": "x"]).status == 400)
        }
    }

    @Test func tooLongAndTooLargeAreRefused() async throws {
        let recording = try Fixture.bytes("statement.wav"), picture = try Fixture.base64("img1.png")
        try await RunningServer.with {
            $0.maximumAudioSeconds = 1
            $0.maximumPixels = 100
        } _: { server in
            let answer = try await server.form("/v1/audio/transcriptions", file: ("a.wav", recording), ["model": "lyra"])
            #expect(answer.status == 413)
            #expect(try answer.json()["error"]?["param"] == "file")
            let image = try await server.chat([["type": "image_url", "image_url": ["url": .text("data:image/png;base64,\(picture)")]]])
            #expect(image.status == 413, "\(image.text)")
        }
        try await RunningServer.with { $0.maximumUploadBytes = 1 << 20 } _: { server in
            let answer = try await server.form(
                "/v1/files", file: ("zero.bin", [UInt8](repeating: 0, count: 1_100_000)))
            #expect(answer.status == 413)
            #expect(try await server.get("/health").status == 200)
        }
    }
}
