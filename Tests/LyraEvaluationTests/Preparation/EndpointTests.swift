// Endpoints: what is sent, what is made of replies and failures; judging; questions about long recordings.
import Foundation
@testable import LyraEvaluation
import Testing

@Suite(.serialized) struct EndpointTests {
    private func endpoint(_ server: LocalServer, attempts: Int = 3) throws -> ChatEndpoint {
        var endpoint = try ChatEndpoint(server.address, model: "judge", key: "secret")
        (endpoint.attempts, endpoint.pause, endpoint.timeout) = (attempts, 0.01, 10)
        return endpoint
    }

    @Test func request() async throws {
        let server = try LocalServer { _, _ in (200, LocalServer.completion("hello")) }
        #expect(try await endpoint(server).reply(to: [("system", "s"), ("user", "ü\"")], maximumTokens: 7) == "hello")
        let request = try #require(server.requests.first)
        #expect(request.head.hasPrefix("POST /v1/chat/completions HTTP/1.1") && request.head.contains("Authorization: Bearer secret"))
        let body = try #require(try JSONSerialization.jsonObject(with: request.body) as? [String: Any])
        #expect(body["model"] as? String == "judge" && body["max_tokens"] as? Int == 7 && body["temperature"] as? Double == 0)
        #expect((body["messages"] as? [[String: String]])?.map { [$0["role"], $0["content"]] } == [["system", "s"], ["user", "ü\""]])
    }

    @Test func busyServersAreAskedAgain() async throws {
        let server = try LocalServer { count, _ in count < 2 ? (503, "busy") : (200, LocalServer.completion("at last")) }
        #expect(try await endpoint(server).reply(to: [("user", "x")], maximumTokens: 1) == "at last")
        #expect(server.requests.count == 3)
    }

    @Test func failures() async throws {
        let refusing = try LocalServer { _, _ in (401, "no key") }
        await #expect(throws: EndpointError.refused(address: refusing.address + "/chat/completions", status: 401, message: "no key")) {
            try await endpoint(refusing).reply(to: [("user", "x")], maximumTokens: 1)
        }
        #expect(refusing.requests.count == 1)
        let strange = try LocalServer { _, _ in (200, "<html>") }
        await #expect(throws: EndpointError.unexpected(address: strange.address + "/chat/completions", reply: "<html>")) {
            try await endpoint(strange).reply(to: [("user", "x")], maximumTokens: 1)
        }
        for wrong in ["nowhere", "ftp://x", "", "http://"] {
            #expect(throws: EndpointError.invalidAddress(wrong)) { try ChatEndpoint(wrong, model: "m") }
        }
        var nobody = try ChatEndpoint("http://127.0.0.1:9", model: "m")
        (nobody.attempts, nobody.pause) = (2, 0.01)
        await #expect { try await nobody.reply(to: [("user", "x")], maximumTokens: 1) } throws: {
            if case .unreachable = $0 as? EndpointError { true } else { false }
        }
    }

    /// Replies are judged after the run, and those that a judge has not seen when the run is gone on with.
    @Test func judging() async throws {
        let data = try TemporaryFolder()
        try MiniData(root: data.path, answer: { "one<AND>two<OR>\($1)" }).mmVet()
        let (benchmark, items) = try load("mmvet", data.path)
        let server = try LocalServer { count, _ in (200, LocalServer.completion(["0.5", " 1.0\n", "no number"][min(count, 2)])) }
        func run(_ judge: EndpointJudge?, resume: Bool) async throws -> RunSummary {
            try await EvaluationRun(
                benchmark, items: items, responder: ScriptedResponder { ["about \($0.id)"] },
                folder: try RunFolder(data.file("run"), settings("mmvet"), resume: resume), judge: judge
            ).run()
        }
        #expect(try await run(nil, resume: false).unscored == 3)
        let judged = try await run(EndpointJudge(try endpoint(server)), resume: true)
        #expect(judged.metrics.first?.value == 75 && judged.unscored == 1 && judged.items == 3)
        let asked = try #require(try JSONSerialization.jsonObject(with: server.requests[0].body) as? [String: Any])
        let text = (asked["messages"] as? [[String: String]])?.last?["content"]
        #expect(text == "Question: What is funny in 0? | Reference: one <AND> two <OR> 0 | Answer: about v1_0 ->")
        let again = try LocalServer { _, _ in (200, LocalServer.completion("0.3")) }
        let all = try await run(EndpointJudge(try endpoint(again)), resume: true)
        #expect(again.requests.count == 1 && all.unscored == 0)
        #expect(isClose(all.metrics.first?.value, 60))
        #expect(all.slices.map(\.name) == ["gen+ocr", "ocr+rec"])
    }

    @Test func questionsAboutLongRecordings() async throws {
        let folder = try TemporaryFolder()
        for name in ["a.mp3", "b.wav", "c.flac"] { try Data().write(to: URL(fileURLWithPath: folder.file(name))) }
        try "1\n00:00:01,000 --> 00:00:03,000\nHello <i>there</i>.\n\n2\n00:00:03,000 --> 00:00:04,000\nBye.\n".write(toFile: folder.file("a.srt"), atomically: true, encoding: .utf8)
        try String(repeating: "word ", count: 250).write(toFile: folder.file("b.txt"), atomically: true, encoding: .utf8)
        let (found, without) = try LongSpeechJobs.recordings(["a.mp3", "b.wav", "c.flac"].map(folder.file), transcripts: nil)
        #expect(found.map(\.transcript).first == "Hello there. Bye." && without == [folder.file("c.flac")])
        let jobs = LongSpeechJobs(found, questions: 2, words: 100)
        #expect(jobs.jobs.map(\.id) == ["a", "b-1", "b-2", "b-3"])

        let batch = try jobs.writeBatch(to: folder.file("out/jobs.jsonl"), model: "m")
        #expect(batch.items == 4)
        let lines = try String(contentsOfFile: batch.path, encoding: .utf8).split(separator: "\n")
        let first = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(first["custom_id"] as? String == "a" && first["url"] as? String == "/v1/chat/completions")

        let pair = "Sure:\n```json\n[{\"question\": \"Who?\", \"answer\": \"Ann.\"}, {\"question\": \"\", \"answer\": \"x\"}]\n```"
        let server = try LocalServer { count, _ in count == 1 ? (400, "too long") : (200, LocalServer.completion(count == 2 ? "I cannot." : pair)) }
        var failures: [String] = []
        let replies = try await jobs.replies(from: endpoint(server), cache: folder.file("out/replies.jsonl")) { _, _, failure in
            if let failure { failures.append(failure) }
        }
        #expect(replies.keys.sorted() == ["a", "b-2", "b-3"] && failures.count == 1)
        let result = try jobs.write(replies, to: folder.file("out/data.jsonl"))
        #expect(result.items == 2 && result.leftOut == ["no reply": 1, "no questions in the reply": 1])
        let samples = try String(contentsOfFile: result.path, encoding: .utf8).split(separator: "\n").map {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        #expect(samples[0]?["long_speech"] as? String == folder.file("a.mp3") && samples[0]?["id"] as? String == "a-q1")
        #expect((samples[0]?["conversations"] as? [[String: String]])?.map { $0["value"] } == ["<speech>\nWho?", "Ann."])
        // Asked only once, also after a line that was cut off.
        let handle = try #require(FileHandle(forWritingAtPath: folder.file("out/replies.jsonl")))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("{\"id\":\"b".utf8))
        try handle.close()
        let more = try LocalServer { _, _ in (200, LocalServer.completion(pair)) }
        let complete = try await jobs.replies(from: endpoint(more), cache: folder.file("out/replies.jsonl"))
        #expect(complete.count == 4 && more.requests.count == 1)
        let third = try await jobs.replies(from: endpoint(more), cache: folder.file("out/replies.jsonl"))
        #expect(third.count == 4 && more.requests.count == 1)
    }

    @Test func batchReplies() throws {
        let folder = try TemporaryFolder()
        let line = "{\"custom_id\":\"a\",\"response\":{\"status_code\":200,\"body\":\(LocalServer.completion("text"))}}\nnonsense\n{\"custom_id\":\"b\",\"error\":{}}\n"
        try line.write(toFile: folder.file("r.jsonl"), atomically: true, encoding: .utf8)
        #expect(try LongSpeechJobs.batchReplies(folder.file("r.jsonl")) == ["a": "text"])
    }
}
