// Streams of server-sent events.
import HTTPTypes
import Hummingbird
import NIOCore

enum ServerSentEvents {
    static let headers: HTTPFields = [
        .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache", .init("X-Accel-Buffering")!: "no",
    ]

    static func event(_ value: some Encodable) -> ByteBuffer { event(bytes: JSON.bytes(value)) }

    static func event(bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeString("data: ")
        buffer.writeBytes(bytes)
        buffer.writeString("\n\n")
        return buffer
    }

    static let end = ByteBuffer(string: "data: [DONE]\n\n")
    /// A comment, which clients skip.
    static let sign = ByteBuffer(string: ": working\n\n")
}
