// A connection: HTTP/1.1 for hummingbird's router, or a WebSocket for realtime conversations.
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOPosix
import NIOWebSocket

/// What a WebSocket is offered on, and who serves it.
struct WebSocketRoute: Sendable {
    /// Extra headers of the upgrade; nil refuses it, and the router answers the request.
    let accept: @Sendable (HTTPRequestHead) -> HTTPHeaders?
    let serve: @Sendable (NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, HTTPRequestHead) async -> Void
    let maximumFrameBytes: Int
}

/// Limits of connections, apart from those of requests.
struct ConnectionLimits: Sendable {
    /// Until the head of the first request is there.
    var firstRequest = TimeAmount.seconds(15)
    /// Between requests, and between parts of a request's body.
    var idle = TimeAmount.seconds(60)
    /// A client that reads nothing.
    var stalled = TimeAmount.seconds(60)
    var bodyBytes = 1 << 30
}

struct ServerChannel: HTTPChannelHandler {
    enum Choice: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case webSocket(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, HTTPRequestHead)
    }
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let chosen: EventLoopFuture<Choice>
    }

    let responder: Responder
    let socket: WebSocketRoute
    let limits: ConnectionLimits

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            // A peer that vanished without a word is noticed after half a minute.
            channel.setOption(ChannelOptions.socketOption(.so_keepalive), value: 1).whenComplete { _ in }
            channel.setOption(ChannelOptions.tcpOption(.init(rawValue: 18)), value: 30_000).whenComplete { _ in }  // TCP_USER_TIMEOUT
            channel.setOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1).whenComplete { _ in }
            let pipeline = channel.pipeline.syncOperations
            let first = FirstRequestHandler(limit: limits.firstRequest)
            try pipeline.addHandler(StalledReaderHandler(limit: limits.stalled))
            try pipeline.addHandler(first)

            let upgrader = NIOTypedWebSocketServerUpgrader<Choice>(
                maxFrameSize: socket.maximumFrameBytes,
                shouldUpgrade: { [socket] channel, head in channel.eventLoop.makeSucceededFuture(socket.accept(head)) },
                upgradePipelineHandler: { [socket] channel, head in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(FrameGuard())
                        try channel.pipeline.syncOperations.addHandler(
                            NIOWebSocketFrameAggregator(
                                minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1_024,
                                maxAccumulatedFrameSize: socket.maximumFrameBytes))
                        return .webSocket(try NIOAsyncChannel(wrappingChannelSynchronously: channel), head)
                    }
                })
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration<Choice>(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [upgrader],
                    notUpgradingCompletionHandler: { [limits] channel in
                        channel.eventLoop.makeCompletedFuture { try Self.addHTTP(channel, limits, logger) }
                    }))
            // Requests that come before the last was answered wait in NIOAsyncChannel.
            configuration.enablePipelining = false
            configuration.enableResponseHeaderValidation = false  // HTTPTypes' fields are valid
            configuration.decoderConfiguration.maxHeaderFieldSize = 16 << 10
            configuration.decoderConfiguration.maxHeaderListSize = 64 << 10
            configuration.decoderConfiguration.maxHeaderFieldCount = 100
            let chosen = try pipeline.configureUpgradableHTTPServerPipeline(configuration: configuration)
            try pipeline.addHandler(CloseOnErrorHandler())
            let removed = NIOLoopBound(first, eventLoop: channel.eventLoop)
            chosen.whenComplete { _ in channel.pipeline.syncOperations.removeHandler(removed.value).whenComplete { _ in } }
            return Value(channel: channel, chosen: chosen)
        }
    }

    private static func addHTTP(_ channel: any Channel, _ limits: ConnectionLimits, _ logger: Logger) throws -> Choice {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandler(RequestGuard(maximumBytes: limits.bodyBytes))
        try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: .nanoseconds(limits.idle.nanoseconds), logger: logger))
        return .http(
            try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.chosen.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .webSocket(let channel, let head): await socket.serve(channel, head)
            }
        } catch {
            // Closed, or not HTTP, before the first request was complete.
            try? await value.channel.close()
        }
    }
}
