// /v1/chat/completions: one reply, whole or as a stream.
import Foundation
import Hummingbird
import HTTPTypes
import Logging
import Lyra
import NIOCore

struct ChatRoutes: Sendable {
    let service: Service

    func add(to router: Router<Context>) {
        router.post("/v1/chat/completions") { request, context in try await complete(request, context) }
    }

    private func complete(_ request: Request, _ context: Context) async throws -> Response {
        let signal = await context.disconnectSignal()
        let body = try await request.json(ChatRequest.self, limit: service.options.maximumUploadBytes)
        try service.checkModel(body.model)
        var options = try body.replyOptions(service.options, layers: service.layers)
        let spoken = try body.spokenFormat()
        options.speaks = spoken != nil
        let owner = context.owner
        let plan = try await ChatPlan(body.messages, media: service.resolver(owner: owner)) { service.spoken.text($0, owner: owner) }
        let generation = Generation(service, client: context.client) { [service, options] in
            let lyra = service.lyra
            let conversation = plan.system.map { lyra.conversation(system: $0, owner: owner) } ?? lyra.conversation(owner: owner)
            for exchange in plan.history { try await conversation.add(exchange.parts, answer: exchange.answer, options: options) }
            return conversation.reply(to: plan.question, options: options)
        }
        signal.onDisconnect { generation.cancel() }
        let writer = ChatWriter(
            service: service, owner: owner, spoken: spoken, showsEvidence: body.lyra?.evidence ?? false,
            showsProgress: body.lyra?.progress ?? false, showsExtras: body.lyra != nil)
        do {
            guard body.stream == true else {
                defer { signal.clear() }
                return .json(try await writer.whole(generation))
            }
            try await generation.begun()
        } catch {
            signal.clear()
            throw error
        }
        let includesUsage = body.streamOptions?.includeUsage ?? false
        return Response(
            status: .ok, headers: ServerSentEvents.headers,
            body: ResponseBody { output in
                defer { signal.clear() }
                try await writer.stream(generation, includesUsage: includesUsage, to: &output)
            })
    }
}

/// Writes a reply's events as the client wants them.
struct ChatWriter: Sendable {
    let service: Service
    let owner: String
    let spoken: SpokenFormat?
    let showsEvidence: Bool
    let showsProgress: Bool
    let showsExtras: Bool
    private let id = Names.new("chatcmpl")
    private let audioID = Names.new("audio")
    private let created = Int(Date().timeIntervalSince1970)

    init(service: Service, owner: String, spoken: SpokenFormat?, showsEvidence: Bool, showsProgress: Bool, showsExtras: Bool) {
        (self.service, self.owner, self.spoken) = (service, owner, spoken)
        (self.showsEvidence, self.showsProgress, self.showsExtras) = (showsEvidence, showsProgress, showsExtras)
    }

    func whole(_ generation: Generation) async throws -> ChatCompletion {
        let sound = spoken.map(SoundEncoder.init)
        var bytes: [UInt8] = [], evidence: Evidence?, reply: Reply?
        for try await event in generation.events {
            switch event {
            case .progress, .text: continue
            case .audio(let chunk): bytes += try sound?.append(chunk) ?? []
            case .evidence(let found): evidence = found
            case .done(let finished): reply = finished
            }
        }
        guard let reply else { throw CancellationError() }
        bytes += try sound?.finish() ?? []
        let audio = sound.map { _ in
            ChatCompletion.Audio(
                id: audioID, data: Data(bytes).base64EncodedString(),
                expiresAt: service.spoken.remember(audioID, reply.text, owner: owner), transcript: reply.text)
        }
        return ChatCompletion(
            id: id, created: created, model: service.modelName,
            choices: [.init(message: .init(content: reply.text, audio: audio), finishReason: reply.finishReason.rawValue)],
            usage: UsageBody(reply), lyra: extras(reply, evidence))
    }

    private func extras(_ reply: Reply, _ evidence: Evidence?) -> Extra? {
        guard showsExtras else { return nil }
        return Extra(evidence: showsEvidence ? evidence : nil, timings: reply.timings, adapter: reply.adapter?.rawValue ?? "off")
    }

    func stream(_ generation: Generation, includesUsage: Bool, to output: inout any ResponseBodyWriter) async throws {
        let sound = spoken.map(SoundEncoder.init)
        var lastWrite = ContinuousClock.now
        func audio(_ bytes: [UInt8]) -> ChatChunk? {
            bytes.isEmpty ? nil : chunk(.init(audio: .init(id: audioID, data: Data(bytes).base64EncodedString())))
        }
        do {
            try await output.write(ServerSentEvents.event(chunk(.init(role: "assistant", content: ""))))
            for try await event in generation.events {
                var chunks: [ChatChunk] = []
                switch event {
                case .progress(let stage, let fraction):
                    if showsProgress {
                        chunks.append(chunk(.init(), extra: Extra(progress: .init(stage: stage, fraction: fraction))))
                    } else if ContinuousClock.now - lastWrite > .seconds(5) {
                        try await output.write(ServerSentEvents.sign)
                        lastWrite = .now
                    }
                case .text(let delta):
                    let audio = sound.map { _ in ChatChunk.Audio(id: audioID, transcript: delta) }
                    chunks.append(chunk(.init(content: delta, audio: audio)))
                case .audio(let piece):
                    if let part = audio(try sound?.append(piece) ?? []) { chunks.append(part) }
                case .evidence(let evidence):
                    if showsEvidence { chunks.append(chunk(.init(), extra: Extra(evidence: evidence))) }
                case .done(let reply):
                    if let part = audio(try sound?.finish() ?? []) { chunks.append(part) }
                    if sound != nil {
                        let expires = service.spoken.remember(audioID, reply.text, owner: owner)
                        chunks.append(chunk(.init(audio: .init(id: audioID, expiresAt: expires))))
                    }
                    chunks.append(chunk(.init(), end: reply.finishReason.rawValue, extra: extras(reply, nil)))
                    if includesUsage {
                        chunks.append(
                            ChatChunk(id: id, created: created, model: service.modelName, choices: [], usage: UsageBody(reply)))
                    }
                }
                for chunk in chunks {
                    try await output.write(ServerSentEvents.event(chunk))
                    lastWrite = .now
                }
            }
        } catch {
            generation.cancel()
            // The status is sent; what went wrong is the stream's last event.
            service.logger.debug("a stream ended early: \(error)")
            try await output.write(ServerSentEvents.event(bytes: APIError(error).json))
        }
        try await output.write(ServerSentEvents.end)
        try await output.finish(nil)
    }

    private func chunk(_ delta: ChatChunk.Delta, end: String? = nil, extra: Extra? = nil) -> ChatChunk {
        ChatChunk(
            id: id, created: created, model: service.modelName, choices: [.init(delta: delta, finishReason: end)], lyra: extra)
    }
}
