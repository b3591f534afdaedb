// A small HTTP server of the tests' own, on a free port of this machine: replies as told, and keeps what it was asked.
import Foundation
import Synchronization

/// Serves one request after the other, each on a connection of its own.
final class LocalServer: Sendable {
    struct Request: Sendable {
        var head: String
        var body: Data
    }

    let port: UInt16
    private let descriptor: Int32
    private let received = Mutex<[Request]>([])
    var requests: [Request] { received.withLock { $0 } }
    var address: String { "http://127.0.0.1:\(port)/v1" }

    /// - Parameter reply: status and body of the reply to each request, which are counted from 0.
    init(_ reply: @escaping @Sendable (Int, Request) -> (Int, String)) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0 && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard descriptor >= 0, bound else { throw POSIXError(.EADDRNOTAVAIL) }
        self.descriptor = descriptor
        port = address.sin_port.bigEndian
        Thread.detachNewThread { [weak self] in
            var count = 0
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { break }
                defer { close(connection) }
                guard let request = Self.read(connection) else { continue }
                self?.received.withLock { $0.append(request) }
                let (status, body) = reply(count, request)
                count += 1
                let head = "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
                let bytes = Array((head + body).utf8)
                _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            }
            close(descriptor)
        }
    }

    /// Ends the thread, which closes the socket: its number must not go to another server while the thread still uses it.
    deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private static func read(_ connection: Int32) -> Request? {
        var data = Data(), buffer = [UInt8](repeating: 0, count: 1 << 16)
        let end = Data("\r\n\r\n".utf8)
        while true {
            if let range = data.range(of: end) {
                let head = String(decoding: data[..<range.lowerBound], as: UTF8.self)
                let length = head.lowercased().firstMatch(of: /content-length: (\d+)/).flatMap { Int($0.1) } ?? 0
                let body = data[range.upperBound...]
                if body.count >= length { return Request(head: head, body: Data(body.prefix(length))) }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            data += buffer[..<count]
        }
    }

    /// A chat completion with this text.
    static func completion(_ text: String) -> String {
        let object: [String: Any] = ["choices": [["message": ["role": "assistant", "content": text]]]]
        return String(decoding: (try? JSONSerialization.data(withJSONObject: object)) ?? Data(), as: UTF8.self)
    }
}
