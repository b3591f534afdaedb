// Knowing that a client has gone, while its reply is still being made; closing connections of clients that misbehave.
import NIOCore
import NIOHTTPTypes
import NIOWebSocket
import Synchronization

/// Tells whoever works for a connection that it was closed.
final class DisconnectSignal: Sendable {
    private struct State {
        var isGone = false
        var handler: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    /// Called when the client goes, at once if it has gone.
    func onDisconnect(_ handler: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            state.handler = handler
            return state.isGone
        }
        if isGone { handler() }
    }

    func clear() { state.withLock { $0.handler = nil } }

    func fire() {
        let handler = state.withLock { state in
            state.isGone = true
            return state.handler
        }
        handler?()
    }

    /// Runs `body`, cancelled when the client goes.
    func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let task = Task { try await body() }
        onDisconnect { task.cancel() }
        defer { clear() }
        return try await withTaskCancellationHandler { try await task.value } onCancel: { task.cancel() }
    }
}

/// Watches a connection's requests: bodies that exceed the limit, clients that go, clients that read nothing for too long.
final class RequestGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    let signal = DisconnectSignal()
    private let maximumBytes: Int
    private var bytes = 0

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: bytes = 0
        case .body(let buffer):
            bytes += buffer.readableBytes
            // The handler has answered 413 by now; whoever goes on sending is cut off.
            if bytes > maximumBytes { return context.close(promise: nil) }
        case .end: break
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that closes its side of the connection does not wait for an answer.
        if case .inputClosed? = event as? ChannelEvent { signal.fire() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        signal.fire()
        context.fireChannelInactive()
    }
}

/// Closes a connection whose client does not take what it is sent.
final class StalledReaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    private let limit: TimeAmount
    private var timer: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        if !context.channel.isWritable {
            let channel = context.channel
            timer = context.eventLoop.scheduleTask(in: limit) { channel.close(mode: .all, promise: nil) }
        }
        context.fireChannelWritabilityChanged()
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }
    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }
}

/// Closes a connection whose bytes are no HTTP, once the decoder has answered 400: nothing after them can be trusted.
final class CloseOnErrorHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }
}

/// Closes a WebSocket whose frames break RFC 6455: not masked, with bits of extensions that nobody agreed on, of no known kind.
/// NIO's decoder lets these pass.
final class FrameGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketFrame
    typealias OutboundOut = WebSocketFrame
    private static let kinds: [WebSocketOpcode] = [.continuation, .text, .binary, .connectionClose, .ping, .pong]

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3, Self.kinds.contains(frame.opcode) else {
            var reason = context.channel.allocator.buffer(capacity: 2)
            reason.write(webSocketErrorCode: .protocolError)
            let farewell = WebSocketFrame(fin: true, opcode: .connectionClose, data: reason)
            context.writeAndFlush(wrapOutboundOut(farewell), promise: nil)
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
    }
}

/// Closes a connection on which no request comes, also when the server shuts down meanwhile.
final class FirstRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    private let limit: TimeAmount
    private var timer: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: limit) { channel.close(mode: .all, promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
