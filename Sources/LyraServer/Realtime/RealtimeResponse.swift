// One reply of a realtime conversation, and the events it is told with.
import Foundation
import Logging
import Lyra
import LyraMedia
import Synchronization

final class RealtimeResponse: Sendable {
    let id = Names.new("resp")
    let item = Names.new("item")
    private let session: RealtimeSession
    private let options: ReplyOptions
    private struct State {
        var generation: Generation?
        /// Why it was cancelled.
        var reason: String?
    }
    private let state = Mutex(State())

    init(session: RealtimeSession, options: ReplyOptions) { (self.session, self.options) = (session, options) }

    func cancel(reason: String = "client_cancelled") {
        let generation = state.withLock { state in
            state.reason = state.reason ?? reason
            return state.generation
        }
        generation?.cancel()
    }

    /// Begins once the sound so far has been handed to the model.
    func start(_ plan: RealtimeHistory.Plan, after feed: RecordingFeed) {
        let options = options, told = Told()
        let generation = Generation(session.service, client: session.client) {
            await feed.finish()
            for exchange in plan.exchanges { try await plan.conversation.add(exchange.parts, answer: exchange.answer, options: options) }
            told.set()
            return plan.conversation.reply(to: plan.question, options: options)
        }
        let isCancelled = state.withLock { state in
            state.generation = generation
            return state.reason != nil
        }
        if isCancelled { generation.cancel() }
        Task { await run(generation, plan, told) }
    }

    private func run(_ generation: Generation, _ plan: RealtimeHistory.Plan, _ told: Told) async {
        await session.emit("response.created", ["response": body("in_progress", [])])
        await session.add(response: self, isSpoken: options.speaks)
        let sound = options.speaks ? SoundOut() : nil
        var reply: Reply?, failure: APIError?
        do {
            for try await event in generation.events {
                // What was made before the interruption and not sent yet is not sent any more.
                if state.withLock({ $0.reason != nil }) { break }
                switch event {
                case .progress, .evidence: continue
                case .text(let delta): await write(delta)
                case .audio(let chunk): if let sound { await play(sound.append(chunk), chunk) }
                case .done(let finished):
                    if let sound { await play(sound.finish(), nil) }
                    reply = finished
                }
            }
        } catch is CancellationError {
        } catch {
            failure = APIError(error)
            session.service.logger.debug("a realtime reply failed: \(error)")
        }
        let reason = state.withLock { $0.reason }
        let status =
            failure != nil && reason == nil ? "failed" : reply == nil ? "cancelled" : reply?.finishReason == .length ? "incomplete" : "completed"
        await session.close(self, status: status, reply: reply, reason: reason, failure: failure)
        let final = await session.item(item)
        let history: RealtimeHistory?
        if reply != nil, let final { history = plan.completed(by: final) } else { history = plan.abandoned(toldAll: told.isSet) }
        await session.ended(self, history: history)
    }

    func place(_ more: [String: JSONValue] = [:]) -> [String: JSONValue] {
        more.merging(["response_id": .text(id), "item_id": .text(item), "output_index": 0, "content_index": 0]) { $1 }
    }

    func body(_ status: String, _ output: [JSONValue], usage: JSONValue = nil, details: JSONValue = nil) -> JSONValue {
        [
            "id": .text(id), "object": "realtime.response", "status": .text(status), "status_details": details, "output": .list(output),
            "output_modalities": options.speaks ? ["audio"] : ["text"], "usage": usage, "conversation_id": nil, "metadata": nil,
        ]
    }

    private func write(_ delta: String) async {
        await session.change(item) { if $0.status == "in_progress" { $0.answer += delta } }
        await session.emit(
            options.speaks ? "response.output_audio_transcript.delta" : "response.output_text.delta", place(["delta": .text(delta)]))
    }

    private func play(_ bytes: [UInt8], _ chunk: AudioChunk?) async {
        if let chunk {
            let seconds = Double(chunk.samples.count) / Double(chunk.sampleRate)
            await session.change(item) { if $0.status == "in_progress" { $0.spokenSeconds += seconds } }
        }
        guard !bytes.isEmpty else { return }
        await session.emit("response.output_audio.delta", place(["delta": .text(Data(bytes).base64EncodedString())]))
    }

    /// Whether the model was told all that came before the question.
    private final class Told: Sendable {
        private let value = Mutex(false)
        func set() { value.withLock { $0 = true } }
        var isSet: Bool { value.withLock { $0 } }
    }

    /// Sound at the session's rate.
    private final class SoundOut {
        private var resampler: Resampler?

        func append(_ chunk: AudioChunk) -> [UInt8] {
            if resampler == nil { resampler = Resampler(from: chunk.sampleRate, to: RealtimeSettings.rate) }
            return PCM.bytes(resampler?.append(chunk.samples) ?? [])
        }

        func finish() -> [UInt8] { PCM.bytes(resampler?.finish() ?? []) }
    }
}

extension RealtimeSession {
    /// The item of a reply that begins.
    func add(response: RealtimeResponse, isSpoken: Bool) {
        let item = RealtimeItem(replyNamed: response.item, isSpoken: isSpoken)
        emit("response.output_item.added", ["response_id": .text(response.id), "output_index": 0, "item": item.body])
        add(item)
        let part: JSONValue = isSpoken ? ["type": "audio", "transcript": ""] : ["type": "text", "text": ""]
        emit("response.content_part.added", response.place(["part": part]))
    }

    /// The events that end a reply.
    func close(_ response: RealtimeResponse, status: String, reply: Reply?, reason: String?, failure: APIError?) {
        change(response.item) { item in
            // A truncation may have come first.
            if let reply, item.status == "in_progress" { item.answer = reply.text }
            item.status = status == "completed" && item.status == "in_progress" ? "completed" : "incomplete"
        }
        guard let item = item(response.item) else { return finish(response, status, [], reply, reason, failure) }
        let part: JSONValue
        if item.isSpoken {
            part = ["type": "audio", "transcript": .text(item.answer)]
            emit("response.output_audio.done", response.place())
            emit("response.output_audio_transcript.done", response.place(["transcript": .text(item.answer)]))
        } else {
            part = ["type": "text", "text": .text(item.answer)]
            emit("response.output_text.done", response.place(["text": .text(item.answer)]))
        }
        emit("response.content_part.done", response.place(["part": part]))
        emit("response.output_item.done", ["response_id": .text(response.id), "output_index": 0, "item": item.body])
        finished(item.id)
        finish(response, status, [item.body], reply, reason, failure)
    }

    private func finish(
        _ response: RealtimeResponse, _ status: String, _ output: [JSONValue], _ reply: Reply?, _ reason: String?, _ failure: APIError?
    ) {
        var details: JSONValue = nil
        if let failure, status == "failed" {
            details = ["type": "failed", "error": ["type": .text(failure.type), "code": .init(failure.code), "message": .text(failure.message)]]
        } else if status == "cancelled" {
            details = ["type": "cancelled", "reason": .text(reason ?? "client_cancelled")]
        } else if status == "incomplete" {
            details = ["type": "incomplete", "reason": "max_output_tokens"]
        }
        emit("response.done", ["response": response.body(status, output, usage: reply.map(Self.usage) ?? nil, details: details)])
    }

    private static func usage(_ reply: Reply) -> JSONValue {
        let usage = reply.usage, text = usage.promptTokens - usage.speechTokens - usage.visionTokens
        return [
            "total_tokens": .init(usage.promptTokens + usage.completionTokens), "input_tokens": .init(usage.promptTokens),
            "output_tokens": .init(usage.completionTokens),
            "input_token_details": [
                "text_tokens": .init(max(0, text)), "audio_tokens": .init(usage.speechTokens), "image_tokens": .init(usage.visionTokens),
                "cached_tokens": .init(usage.cachedTokens),
            ],
            "output_token_details": ["text_tokens": .init(usage.completionTokens), "audio_tokens": .init(reply.units?.count ?? 0)],
        ]
    }
}
