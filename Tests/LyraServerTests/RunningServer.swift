// A server of the committed reference checkpoint, on a free port, and clients for it.
import AsyncHTTPClient
import Foundation
import Lyra
@testable import LyraServer
import NIOCore
import NIOHTTP1
import Testing

enum Fixture {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let pack = root + "/Tests/Fixtures/pack_c"

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: "\(pack)/inputs/\(name)"))) }
    static func base64(_ name: String) throws -> String { Data(try bytes(name)).base64EncodedString() }

    /// The model that ships.
    static let nano = Task { try await Lyra.open(root + "/models/nano") }

    /// One model for all other tests: they run one after another.
    static let lyra = Task {
        var options = LyraOptions()
        options.precision = .f32
        return try await Lyra.open(pack + "/work_dirs/Lyra_Small_tiny", options: options)
    }
}

/// Waits until something is so; false if it does not come about.
func eventually(within limit: Duration = .seconds(10), _ condition: () async throws -> Bool) async rethrows -> Bool {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(20))
    }
    return false
}

struct RunningServer: Sendable {
    let server: LyraServer
    let port: Int
    var key: String?

    /// Runs `body` against a server, and ends it.
    static func with(
        model: Task<Lyra, any Error> = Fixture.lyra, _ change: (inout ServerOptions) -> Void = { _ in }, _ body: @Sendable (RunningServer) async throws -> Void
    ) async throws {
        var options = ServerOptions()
        options.port = 0
        options.maximumTokens = 64
        options.defaultTokens = 12
        options.shutdownGrace = .seconds(2)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-server-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        options.filesFolder = folder
        change(&options)
        let (ports, sink) = AsyncStream<Int>.makeStream()
        let server = try await LyraServer(lyra: model.value, options: options) { sink.yield($0) }
        let running = Task { try await server.run() }
        var port: Int?
        for await found in ports {
            port = found
            break
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body(RunningServer(server: server, port: try #require(port), key: options.apiKeys.first))) } catch {
            result = .failure(error)
        }
        await server.shutDown()
        try await running.value
        try result.get()
    }

    struct Answer {
        var status: Int
        var headers: HTTPHeaders
        var bytes: [UInt8]
        var text: String { String(decoding: bytes, as: UTF8.self) }

        func json() throws -> JSONValue { try JSONValue(parsing: bytes) }
        /// The objects of an event stream; its last line has to be [DONE].
        func events() throws -> [JSONValue] {
            var events = text.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
            #expect(events.popLast() == "[DONE]", "\(text.suffix(300))")
            return try events.map { try JSONValue(parsing: Array($0.utf8)) }
        }
    }

    func send(
        _ method: HTTPMethod, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let content = try await response.body.collect(upTo: 1 << 26)
        return Answer(status: Int(response.status.code), headers: response.headers, bytes: Array(content.readableBytesView))
    }

    func get(_ path: String) async throws -> Answer { try await send(.GET, path) }

    func post(_ path: String, _ body: JSONValue) async throws -> Answer {
        try await send(.POST, path, headers: ["Content-Type": "application/json"], body: Array(body.encoded.utf8))
    }

    /// A chat completion about some content.
    func chat(_ content: JSONValue, _ more: [String: JSONValue] = [:]) async throws -> Answer {
        let body: [String: JSONValue] = ["model": "lyra", "messages": [["role": "user", "content": content]]]
        return try await post("/v1/chat/completions", .object(body.merging(more) { $1 }))
    }

    /// An upload.
    func form(_ path: String, file: (name: String, content: [UInt8])?, _ fields: [String: String] = [:]) async throws -> Answer {
        let boundary = "----lyra-test-boundary"
        var body: [UInt8] = []
        for (name, value) in fields {
            body += Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n".utf8)
        }
        if let file {
            body += Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(file.name)\"\r\n\r\n".utf8)
            body += file.content + Array("\r\n".utf8)
        }
        body += Array("--\(boundary)--\r\n".utf8)
        return try await send(.POST, path, headers: ["Content-Type": "multipart/form-data; boundary=\(boundary)"], body: body)
    }
}

/// A connection that sends whatever it is told to.
final class RawConnection {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        try #require(result == 0)
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    private var isOpen = true
    /// Whether the last read came to the end of the connection, rather than to the end of its time.
    private(set) var isClosedByPeer = false
    func close() {
        if isOpen { _ = Foundation.close(descriptor) }
        isOpen = false
    }

    /// False if the peer has gone.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// What comes until the text occurs, the peer closes, or nothing comes for five seconds.
    func read(until text: String? = nil) -> String {
        var received: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else {
                isClosedByPeer = count == 0 || errno == ECONNRESET
                break
            }
            received += buffer[..<count]
            if let text, String(decoding: received, as: UTF8.self).contains(text) { break }
        }
        return String(decoding: received, as: UTF8.self)
    }
}
