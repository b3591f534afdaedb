// /v1/audio/speech: text to speech, streamed.
import Foundation
import Hummingbird
import HTTPTypes
import Lyra
import LyraMedia
import NIOCore

struct SpeechRoutes: Sendable {
    let service: Service
    /// Characters of one request; some twenty minutes of speech.
    static let maximumCharacters = 16_384

    func add(to router: Router<Context>) {
        router.post("/v1/audio/speech") { request, context in try await speak(request, context) }
    }

    private struct Body: Decodable {
        var model: String
        var input: String
        var voice: ChatRequest.Ignored?
        var responseFormat: String?
        var speed: Double?
        var streamFormat: String?
    }
    private struct Delta: Encodable {
        var type = "speech.audio.delta"
        var audio: String
    }
    private struct Done: Encodable {
        var type = "speech.audio.done"
        var seconds: Double
    }

    private func speak(_ request: Request, _ context: Context) async throws -> Response {
        let signal = await context.disconnectSignal()
        let body = try await request.json(Body.self, limit: 1 << 20)
        try service.checkModel(body.model)
        guard !body.input.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty else {
            throw APIError.invalid("'input' is empty.", param: "input", code: "invalid_value")
        }
        guard body.input.count <= Self.maximumCharacters else {
            throw APIError.invalid("'input' is longer than \(Self.maximumCharacters) characters.", param: "input", code: "string_above_max_length")
        }
        guard (body.speed ?? 1) == 1 else { throw APIError.unsupported("A speed other than 1", param: "speed") }
        let format = try SpokenFormat(name: body.responseFormat ?? "mp3", param: "response_format")
        let isEvents = body.streamFormat == "sse"
        guard isEvents || (body.streamFormat ?? "audio") == "audio" else {
            throw APIError.invalid("'stream_format' is audio or sse.", param: "stream_format", code: "invalid_value")
        }
        let job = SpokenText(service, client: context.client, text: body.input)
        signal.onDisconnect { job.cancel() }
        do { try await job.begun() } catch {
            signal.clear()
            throw error
        }
        let type = format.format == .pcm ? "audio/pcm;rate=\(SoundEncoder.rawRate);channels=1" : format.format.mimeType
        return Response(
            status: .ok, headers: isEvents ? ServerSentEvents.headers : [.contentType: type],
            body: ResponseBody { output in
                defer { signal.clear() }
                let encoder = SoundEncoder(format)
                func send(_ bytes: [UInt8], _ output: inout any ResponseBodyWriter) async throws {
                    guard !bytes.isEmpty else { return }
                    try await output.write(
                        isEvents ? ServerSentEvents.event(Delta(audio: Data(bytes).base64EncodedString())) : ByteBuffer(bytes: bytes))
                }
                do {
                    for try await chunk in job.chunks { try await send(encoder.append(chunk), &output) }
                    try await send(encoder.finish(), &output)
                    service.metrics.add("lyra_spoken_seconds_total", by: encoder.seconds)
                    if isEvents { try await output.write(ServerSentEvents.event(Done(seconds: encoder.seconds))) }
                } catch {
                    job.cancel()
                    // A sound file has no place for words: the connection breaks off, which clients notice.
                    guard isEvents else { throw error }
                    try await output.write(ServerSentEvents.event(bytes: APIError(error).json))
                }
                if isEvents { try await output.write(ServerSentEvents.end) }
                try await output.finish(nil)
            })
    }
}

/// Speaking that runs in a place of the scheduler.
private struct SpokenText: Sendable {
    let chunks: AsyncThrowingStream<AudioChunk, any Error>
    private let beginning: AsyncThrowingStream<Void, any Error>
    private let task: Task<Void, Never>

    init(_ service: Service, client: String, text: String) {
        let (chunks, sink) = AsyncThrowingStream<AudioChunk, any Error>.makeStream()
        let (beginning, first) = AsyncThrowingStream<Void, any Error>.makeStream()
        let task = Task {
            do {
                try await service.scheduler.run(client: client, limit: service.options.requestTimeout) {
                    for try await chunk in service.lyra.speak(text) {
                        sink.yield(chunk)
                        first.yield()
                    }
                    try Task.checkCancellation()
                }
                sink.finish()
                first.finish()
            } catch {
                sink.finish(throwing: error)
                first.finish(throwing: error)
            }
        }
        sink.onTermination = { _ in task.cancel() }
        (self.chunks, self.beginning, self.task) = (chunks, beginning, task)
    }

    func cancel() { task.cancel() }

    func begun() async throws {
        for try await _ in beginning { return }
        try Task.checkCancellation()
    }
}
