// /v1/audio/transcriptions: recordings of any length to text and subtitles.
import Foundation
import Hummingbird
import HTTPTypes
import Lyra
import LyraMedia
import NIOCore

struct TranscriptionRoutes: Sendable {
    let service: Service

    func add(to router: Router<Context>) {
        router.post("/v1/audio/transcriptions") { request, context in try await transcribe(request, context) }
    }

    private enum Format: String { case json, text, srt, verbose_json, vtt }

    private func transcribe(_ request: Request, _ context: Context) async throws -> Response {
        let signal = await context.disconnectSignal()
        let bytes = try await request.bytes(limit: service.options.maximumUploadBytes)
        let form = try Multipart(bytes, contentType: request.headers[.contentType])
        guard let model = form.text("model") else {
            throw APIError.invalid("Missing required parameter: 'model'.", param: "model", code: "missing_required_parameter")
        }
        try service.checkModel(model)
        let name = form.text("response_format") ?? "json"
        guard let format = Format(rawValue: name) else {
            throw APIError.invalid(
                "'\(name.prefix(40))' is no format of transcripts: json, text, srt, verbose_json, vtt.", param: "response_format", code: "invalid_value")
        }
        let temperature = try form.text("temperature").map { text in
            guard let value = Double(text) else {
                throw APIError.invalid("'temperature' is a number.", param: "temperature", code: "invalid_type")
            }
            return value
        }
        var transcriber = Transcriber(lyra: service.lyra)
        transcriber.sampling = try Sampling(temperature: temperature).options()
        if let prompt = form.text("prompt"), !prompt.isEmpty { transcriber.instruction += "\n" + prompt }
        let source = try await source(form, context)
        let isStream = form.text("stream") == "true"
        guard !isStream || format == .json || format == .text else {
            throw APIError.unsupported("A stream of \(name)", param: "stream")
        }
        let job = Transcription(service, client: context.client, transcriber: transcriber, source: source)
        signal.onDisconnect { job.cancel() }
        if isStream {
            return Response(
                status: .ok, headers: ServerSentEvents.headers,
                body: ResponseBody { output in
                    defer { signal.clear() }
                    try await stream(job, to: &output)
                })
        }
        defer { signal.clear() }
        var segments: [TranscriptSegment] = [], tokens: [(prompt: Int, completion: Int)] = []
        for try await event in job.events {
            guard case .segment(let segment, let reply) = event else { continue }
            segments.append(segment)
            tokens.append((reply.usage.promptTokens, reply.usage.completionTokens))
        }
        let text = segments.map(\.text).filter { !$0.isEmpty }.joined(separator: " ")
        let duration = segments.last?.end ?? 0
        switch format {
        case .json:
            let usage = TranscriptUsage(
                inputTokens: tokens.map(\.prompt).reduce(0, +), outputTokens: tokens.map(\.completion).reduce(0, +))
            return .json(Transcript(text: text, usage: usage))
        case .text: return .text(text + "\n")
        case .srt:
            return .text(segments.enumerated().map { Caption.srt($1, number: $0 + 1) }.joined(), type: "application/x-subrip; charset=utf-8")
        case .vtt: return .text("WEBVTT\n\n" + segments.map(Caption.vtt).joined(), type: "text/vtt; charset=utf-8")
        case .verbose_json:
            return .json(
                VerboseTranscript(
                    language: form.text("language") ?? "", duration: duration, text: text,
                    segments: segments.enumerated().map { .init(id: $0, start: $1.start, end: $1.end, text: $1.text) }))
        }
    }

    /// The uploaded recording, or one that was stored before (`file_id`).
    private func source(_ form: Multipart, _ context: Context) async throws -> MediaSource {
        let source: MediaSource
        if let id = form.text("file_id") {
            source = .file(try await service.files.find(id, owner: context.owner).path)
        } else {
            source = .bytes(try form.file("file").content)
        }
        let check = MediaCheck(service.options)
        do {
            try await MediaThreads.run { _ = try check.sound(source) }
        } catch {
            throw APIError(error, param: "file")
        }
        return source
    }

    private func stream(_ job: Transcription, to output: inout any ResponseBodyWriter) async throws {
        var texts: [String] = [], prompt = 0, completion = 0
        do {
            for try await event in job.events {
                switch event {
                case .text(let delta, _):
                    try await output.write(ServerSentEvents.event(Delta(delta: delta)))
                case .segment(let segment, let reply):
                    texts.append(segment.text)
                    prompt += reply.usage.promptTokens
                    completion += reply.usage.completionTokens
                    try await output.write(ServerSentEvents.event(Delta(delta: " ")))
                case .progress, .stage, .warning: continue
                }
            }
            let usage = TranscriptUsage(inputTokens: prompt, outputTokens: completion)
            try await output.write(ServerSentEvents.event(Done(text: texts.filter { !$0.isEmpty }.joined(separator: " "), usage: usage)))
        } catch {
            job.cancel()
            try await output.write(ServerSentEvents.event(bytes: APIError(error).json))
        }
        try await output.write(ServerSentEvents.end)
        try await output.finish(nil)
    }

    private struct Transcript: Encodable {
        var text: String
        var usage: TranscriptUsage
    }
    private struct VerboseTranscript: Encodable {
        var task = "transcribe"
        var language: String
        var duration: Double
        var text: String
        var segments: [Segment]
        struct Segment: Encodable {
            var id: Int
            var seek = 0
            var start: Double
            var end: Double
            var text: String
            var tokens: [Int] = []
            var temperature = 0.0
            var avgLogprob = 0.0
            var compressionRatio = 1.0
            var noSpeechProb = 0.0
        }
    }
    private struct Delta: Encodable {
        var type = "transcript.text.delta"
        var delta: String
    }
    private struct Done: Encodable {
        var type = "transcript.text.done"
        var text: String
        var usage: TranscriptUsage
    }
}

struct TranscriptUsage: Encodable {
    var type = "tokens"
    var inputTokens: Int
    var outputTokens: Int
    var totalTokens: Int

    init(inputTokens: Int, outputTokens: Int) {
        (self.inputTokens, self.outputTokens, totalTokens) = (inputTokens, outputTokens, inputTokens + outputTokens)
    }
}

/// A transcription that runs in a place of the scheduler.
struct Transcription: Sendable {
    let events: AsyncThrowingStream<TranscriptEvent, any Error>
    private let task: Task<Void, Never>

    init(_ service: Service, client: String, transcriber: Transcriber, source: MediaSource) {
        let (events, sink) = AsyncThrowingStream<TranscriptEvent, any Error>.makeStream()
        let task = Task {
            do {
                try await service.scheduler.run(client: client, limit: service.options.transcriptionTimeout) {
                    try await transcriber.transcribe(source) { event in
                        if case .segment(_, let reply) = event { service.count(reply) }
                        sink.yield(event)
                    }
                }
                sink.finish()
            } catch {
                sink.finish(throwing: error)
            }
        }
        sink.onTermination = { _ in task.cancel() }
        (self.events, self.task) = (events, task)
    }

    func cancel() { task.cancel() }
}
