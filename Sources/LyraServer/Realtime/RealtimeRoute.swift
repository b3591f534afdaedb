// /v1/realtime: the WebSocket, its pings, and how it ends.
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOWebSocket
import Synchronization

/// Open realtime connections.
final class RealtimeSessions: Sendable {
    private struct State {
        var isStopping = false
        var open: [UUID: @Sendable () -> Void] = [:]
    }
    private let state = Mutex(State())
    private let limit: Int
    private let metrics: Metrics

    init(limit: Int, metrics: Metrics) { (self.limit, self.metrics) = (limit, metrics) }

    var isFull: Bool { state.withLock { $0.isStopping || $0.open.count >= limit } }

    /// False if there is no place.
    func open(_ id: UUID, stop: @escaping @Sendable () -> Void) -> Bool {
        let count: Int? = state.withLock { state in
            guard !state.isStopping, state.open.count < limit else { return nil }
            state.open[id] = stop
            return state.open.count
        }
        if let count { metrics.set("lyra_realtime_sessions", Double(count)) }
        return count != nil
    }

    func close(_ id: UUID) {
        let count = state.withLock { state in
            state.open[id] = nil
            return state.open.count
        }
        metrics.set("lyra_realtime_sessions", Double(count))
    }

    /// Tells all that the server ends.
    func stop() {
        let stops = state.withLock { state in
            state.isStopping = true
            return Array(state.open.values)
        }
        for stop in stops { stop() }
    }
}

struct RealtimeRoute: Sendable {
    let service: Service
    private static let pingInterval = Duration.seconds(20)
    /// A peer that sends nothing, not even pongs, for so long is gone.
    private static let silence = Duration.seconds(60)

    var socket: WebSocketRoute {
        WebSocketRoute(accept: accept, serve: serve, maximumFrameBytes: min(service.options.maximumUploadBytes, 32 << 20))
    }

    /// Nothing: the router answers, with the error that fits.
    private func accept(_ head: HTTPRequestHead) -> HTTPHeaders? {
        let protocols = head.headers["Sec-WebSocket-Protocol"].joined(separator: ",")
        guard head.uri.split(separator: "?", maxSplits: 1).first == "/v1/realtime", !service.realtime.isFull,
            service.origins.accepts(origin: head.headers.first(name: "Origin"), host: head.headers.first(name: "Host")),
            holder(head) != nil, hasKnownModel(head)
        else { return nil }
        // Of the protocols offered, the one that is no key.
        return protocols.split(separator: ",").contains { $0.trimmingCharacters(in: .whitespaces) == "realtime" }
            ? ["Sec-WebSocket-Protocol": "realtime"] : [:]
    }

    private func holder(_ head: HTTPRequestHead) -> Int? {
        service.keys.holder(
            authorization: head.headers.first(name: "Authorization"),
            protocols: head.headers["Sec-WebSocket-Protocol"].joined(separator: ","))
    }

    private func hasKnownModel(_ head: HTTPRequestHead) -> Bool {
        guard let query = URLComponents(string: head.uri)?.queryItems, let model = query.first(where: { $0.name == "model" })?.value
        else { return true }
        return service.options.modelNames.contains(model)
    }

    private enum Out: Sendable {
        case text(String), ping, pong(ByteBuffer), close(WebSocketErrorCode)
    }

    private func serve(_ channel: NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, _ head: HTTPRequestHead) async {
        let id = UUID(), holder = holder(head) ?? 0
        let (out, sink) = AsyncStream<Out>.makeStream()
        let isOld = head.headers["OpenAI-Beta"].contains { $0.contains("realtime=v1") }
        let address = channel.channel.remoteAddress?.ipAddress ?? "local"
        let owner = service.keys.isOpen ? "everybody" : "key \(holder)"
        let session = RealtimeSession(service: service, client: service.keys.isOpen ? address : owner, owner: owner) { event in
            sink.yield(.text((isOld ? Self.old(event) : event).encoded))
        }
        guard service.realtime.open(id, stop: { Task { await session.tellEnd(); sink.yield(.close(.goingAway)) } }) else {
            try? await channel.channel.close()
            return
        }
        defer { service.realtime.close(id) }
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    let heard = Heard()
                    group.addTask { for await message in out { if try await !Self.write(message, to: outbound) { return } } }
                    group.addTask {
                        while true {
                            try await Task.sleep(for: Self.pingInterval)
                            if heard.age > Self.silence { return sink.yield(.close(.goingAway)).ignore() }
                            sink.yield(.ping)
                        }
                    }
                    group.addTask {
                        await session.begin()
                        for try await frame in inbound {
                            heard.touch()
                            switch frame.opcode {
                            case .text, .binary: await session.receive(Array(frame.unmaskedData.readableBytesView))
                            case .ping: sink.yield(.pong(frame.unmaskedData))
                            case .connectionClose:
                                sink.yield(.close(.normalClosure))
                                return
                            default: continue
                            }
                        }
                    }
                    // Whoever ends first ends all; a farewell is still sent.
                    defer { group.cancelAll() }
                    try await group.next()
                    sink.yield(.close(.normalClosure))
                    sink.finish()
                }
            }
        } catch {
            service.logger.debug("a realtime connection ended: \(error)")
        }
        sink.finish()
        await session.end()
    }

    /// False after a farewell.
    private static func write(_ message: Out, to outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws -> Bool {
        switch message {
        case .text(let text): try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: text)))
        case .ping: try await outbound.write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer()))
        case .pong(let data): try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: data))
        case .close(let code):
            var data = ByteBuffer()
            data.write(webSocketErrorCode: code)
            try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
            return false
        }
        return true
    }

    /// When the peer was last heard of.
    private final class Heard: Sendable {
        private let last = Mutex(ContinuousClock.now)
        func touch() { last.withLock { $0 = .now } }
        var age: Duration { ContinuousClock.now - last.withLock { $0 } }
    }

    /// The event as the interface's first version names it.
    private static func old(_ event: JSONValue) -> JSONValue {
        guard case .object(var fields) = event, let type = event["type"]?.text else { return event }
        let names = [
            "response.output_text.delta": "response.text.delta", "response.output_text.done": "response.text.done",
            "response.output_audio.delta": "response.audio.delta", "response.output_audio.done": "response.audio.done",
            "response.output_audio_transcript.delta": "response.audio_transcript.delta",
            "response.output_audio_transcript.done": "response.audio_transcript.done", "conversation.item.added": "conversation.item.created",
        ]
        fields["type"] = .text(names[type] ?? type)
        return .object(fields)
    }
}

extension AsyncStream.Continuation.YieldResult {
    func ignore() {}
}
