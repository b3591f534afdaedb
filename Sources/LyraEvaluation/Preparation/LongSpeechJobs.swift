// Questions and answers about long recordings, written by a large language model that is given their transcripts: the way the
// paper's long-speech data were made.
import Foundation

/// Makes long-speech samples from recordings and their transcripts.
public struct LongSpeechJobs: Sendable {
    /// A recording and what is said in it.
    public struct Recording: Sendable, Equatable {
        public var name: String
        public var path: String
        public var transcript: String
    }

    /// A request: questions about one stretch of a recording.
    public struct Job: Sendable {
        public var id: String
        public var recording: Recording
        var text: String
    }

    public var jobs: [Job]
    /// Questions to ask for in each job.
    public let questions: Int

    /// - Parameter words: a longer transcript is divided, so that it fits the model's context.
    public init(_ recordings: [Recording], questions: Int = 8, words: Int = 12_000) {
        self.questions = questions
        jobs = recordings.flatMap { recording -> [Job] in
            let all = recording.transcript.split(whereSeparator: \.isWhitespace)
            let parts = max(1, (all.count + words - 1) / words)
            return (0..<parts).map { part in
                let range = (part * all.count / parts)..<((part + 1) * all.count / parts)
                return Job(
                    id: parts == 1 ? recording.name : "\(recording.name)-\(part + 1)", recording: recording,
                    text: all[range].joined(separator: " "))
            }
        }
    }

    /// Recordings with a transcript of the same name: .txt, .srt, .vtt, or .json as `lyra transcribe` writes it.
    public static func recordings(_ paths: [String], transcripts folder: String?) throws -> (found: [Recording], without: [String]) {
        var found: [Recording] = [], without: [String] = []
        for path in paths {
            let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
            let place = folder ?? (path as NSString).deletingLastPathComponent
            let stem = place.isEmpty ? name : "\(place)/\(name)"
            guard let list = ["txt", "srt", "vtt", "json"].map({ "\(stem).\($0)" }).first(where: Files.exists) else {
                without.append(path)
                continue
            }
            guard let text = try? String(contentsOfFile: list, encoding: .utf8) else {
                throw EvaluationError.unreadable(path: list, reason: "it is not UTF-8 text")
            }
            let words = try plain(text, list)
            if words.isEmpty { without.append(path) } else { found.append(Recording(name: name, path: path, transcript: words)) }
        }
        return (found, without)
    }

    /// The words of a transcript without numbers and times.
    static func plain(_ text: String, _ path: String) throws -> String {
        switch (path as NSString).pathExtension {
        case "json":
            struct Transcript: Decodable { var text: String }
            guard let transcript = try? JSONDecoder().decode(Transcript.self, from: Data(text.utf8)) else {
                throw EvaluationError.unreadable(path: path, reason: "it has no 'text'")
            }
            return transcript.text
        case "srt", "vtt":
            let lines = text.split(whereSeparator: \.isNewline).filter { line in
                !line.contains("-->") && line != "WEBVTT" && !line.allSatisfy(\.isNumber)
            }
            return lines.joined(separator: " ").replacing(/<[^>]*>/, with: "")
        default: return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    // MARK: Requests

    func messages(_ job: Job) -> [(role: String, text: String)] {
        let instruction = """
            You write test questions about recordings. You are given the transcript of one. Write \(questions) questions that somebody \
            could ask who has not heard it, each with its answer: some about single facts, wherever in the recording they are \
            mentioned, some about how things are connected or in which order they come, and one about the whole. Answers follow \
            from the transcript alone and are one to three sentences. Speak of "the recording", never of "the transcript". Reply with a \
            JSON list and nothing else: [{"question": "...", "answer": "..."}, ...]
            """
        return [("system", instruction), ("user", job.text)]
    }

    static let maximumTokens = 4_096

    /// The requests as a file for batch services that are compatible with OpenAI's: a line a job.
    public func writeBatch(to path: String, model: String) throws -> PreparationResult {
        let file = try LinesFile(path)
        for job in jobs {
            try file.append([
                "custom_id": job.id, "method": "POST", "url": "/v1/chat/completions",
                "body": [
                    "model": model, "max_tokens": Self.maximumTokens,
                    "messages": messages(job).map { ["role": $0.role, "content": $0.text] },
                ],
            ])
        }
        try file.commit()
        return PreparationResult(path: path, items: file.count)
    }

    /// Replies by job, from the file that a batch service returned.
    public static func batchReplies(_ path: String) throws -> [String: String] {
        struct Line: Decodable {
            struct Response: Decodable { var body: Body? }
            struct Body: Decodable { var choices: [Choice]? }
            struct Choice: Decodable { var message: Message }
            struct Message: Decodable { var content: String? }
            var custom_id: String
            var response: Response?
        }
        let lines = try DataLines.read(path, as: Line.self).compactMap { entry -> (String, String)? in
            guard let line = try? entry.item.get(), let text = line.response?.body?.choices?.first?.message.content else { return nil }
            return (line.custom_id, text)
        }
        return Dictionary(lines) { $1 }
    }

    /// Asks an endpoint. Replies are kept in `cache`, a line each as it comes, and not asked for again.
    public func replies(
        from endpoint: ChatEndpoint, cache: String, onProgress: (_ done: Int, _ total: Int, _ failure: String?) -> Void = { _, _, _ in }
    ) async throws -> [String: String] {
        struct Line: Codable { var id, reply: String }
        let known = Files.exists(cache) ? try DataLines.read(cache, as: Line.self).compactMap { try? $0.item.get() } : []
        var replies = Dictionary(known.map { ($0.id, $0.reply) }) { $1 }
        if !Files.exists(cache) {
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: cache).deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data().write(to: URL(fileURLWithPath: cache))
        }
        guard let handle = FileHandle(forWritingAtPath: cache) else {
            throw RunFolderError.unwritable(cache, reason: String(cString: strerror(errno)))
        }
        // A line that was cut off is ended; reading passes over it.
        if let last = FileManager.default.contents(atPath: cache)?.last, last != 0x0A {
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("\n".utf8))
        }
        try handle.seekToEnd()
        for (place, job) in jobs.enumerated() where replies[job.id] == nil {
            try Task.checkCancellation()
            do {
                let reply = try await endpoint.reply(to: messages(job), maximumTokens: Self.maximumTokens)
                replies[job.id] = reply
                try handle.write(contentsOf: JSON.line(Line(id: job.id, reply: reply)))
                onProgress(place + 1, jobs.count, nil)
            } catch let error as EndpointError {
                onProgress(place + 1, jobs.count, "\(job.id): \(error.localizedDescription)")
                // An endpoint that does not exist will not come up for the next job.
                if case .unreachable = error, replies.isEmpty { throw error }
            }
        }
        return replies
    }

    // MARK: Samples

    struct Pair: Decodable, Equatable {
        var question: String
        var answer: String
    }

    /// The questions and answers in a reply, which may have other text around the list.
    static func pairs(_ reply: String) -> [Pair] {
        guard let start = reply.firstIndex(of: "["), let end = reply.lastIndex(of: "]"), start < end else { return [] }
        let pairs = (try? JSONDecoder().decode([Pair].self, from: Data(reply[start...end].utf8))) ?? []
        return pairs.filter { !$0.question.trimmingCharacters(in: .whitespaces).isEmpty && !$0.answer.trimmingCharacters(in: .whitespaces).isEmpty }
    }

    /// Writes a sample for each question, in the format of docs/training-data.md.
    public func write(_ replies: [String: String], to path: String) throws -> PreparationResult {
        let file = try LinesFile(path)
        var result = PreparationResult(path: path, items: 0)
        for job in jobs {
            guard let reply = replies[job.id] else {
                result.leaveOut("no reply", "\(job.id): no reply")
                continue
            }
            let pairs = Self.pairs(reply)
            if pairs.isEmpty { result.leaveOut("no questions in the reply", "\(job.id): the reply has no questions: \(reply.prefix(80))") }
            for (number, pair) in pairs.enumerated() {
                try file.append([
                    "id": "\(job.id)-q\(number + 1)", "long_speech": Transcriptions.relative(job.recording.path, to: path),
                    "conversations": [["from": "human", "value": "<speech>\n\(pair.question)"], ["from": "gpt", "value": pair.answer]],
                ])
            }
        }
        result.items = file.count
        guard file.count > 0 else { throw EvaluationError.invalid("there are no questions" + (result.problems.first.map { "; the first: \($0)" } ?? "")) }
        try file.commit()
        return result
    }
}
