// What handlers know of a request's sender, and how they read its body.
import Hummingbird
import HTTPTypes
import Logging
import NIOCore

struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Whose share of the server this request takes: the key's, or the address's.
    var client: String
    /// Whose files and spoken replies it may use: the key's, or everybody's on a server without keys.
    var owner = "everybody"

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
        client = source.channel.remoteAddress?.ipAddress ?? "local"
    }

    /// Fires when the connection is closed.
    func disconnectSignal() async -> DisconnectSignal {
        let channel = channel
        let signal = try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: RequestGuard.self).signal
        }.get()
        if let signal { return signal }
        // The connection is closed already.
        let gone = DisconnectSignal()
        gone.fire()
        return gone
    }
}

extension Request {
    /// Longest time a body may take to arrive.
    private static var bodyTime: Duration { .seconds(300) }

    /// The whole body.
    /// - Throws: `APIError` 413 beyond the limit, 408 when it takes too long.
    func bytes(limit: Int) async throws -> [UInt8] {
        let tooLarge = APIError.tooLarge("The request is larger than the \(limit >> 20) MB that this server takes.")
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
        let body = body
        let late = APIError(status: .requestTimeout, type: "invalid_request_error", message: "The body did not arrive in time.")
        return try await withTimeLimit(Self.bodyTime, failure: late) {
            var bytes: [UInt8] = []
            for try await buffer in body {
                guard bytes.count + buffer.readableBytes <= limit else { throw tooLarge }
                bytes += buffer.readableBytesView
            }
            return bytes
        }
    }

    /// A JSON body.
    func json<Value: Decodable>(_ type: Value.Type, limit: Int) async throws -> Value {
        let content = headers[.contentType]?.lowercased() ?? ""
        guard content.hasPrefix("application/json") else {
            throw APIError(
                status: .unsupportedMediaType, type: "invalid_request_error",
                message: "The body has to be JSON, and Content-Type has to say so (application/json).", code: "invalid_content_type")
        }
        return try JSON.decode(type, from: try await bytes(limit: limit))
    }
}

extension Response {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSON.bytes(value))))
    }

    static func text(_ text: String, type: String = "text/plain; charset=utf-8") -> Response {
        Response(status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
