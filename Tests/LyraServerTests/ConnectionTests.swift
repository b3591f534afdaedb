// Connections that misbehave: clients that go, and bytes that are no requests. The server lives on.
import Foundation
@testable import LyraServer
import NIOHTTP1
import Testing

@Suite(.serialized) struct ConnectionTests {
    private static func request(_ body: String, port: Int) -> String {
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test(arguments: [true, false]) func aClientThatGoesFreesItsPlace(streams: Bool) async throws {
        try await RunningServer.with { $0.maximumTokens = 100_000 } _: { server in
            let connection = try RawConnection(port: server.port)
            let body = #"{"model": "lyra", "stream": \#(streams), "temperature": 1.9, "max_completion_tokens": 100000, "messages": [{"role": "user", "content": "Go on."}]}"#
            connection.write(Self.request(body, port: server.port))
            if streams { #expect(connection.read(until: "delta").contains("200 OK")) }
            #expect(await eventually { await server.server.service.scheduler.runningCount == 1 })
            connection.close()
            #expect(await eventually(within: .seconds(1)) { await server.server.service.scheduler.runningCount == 0 })
        }
    }

    @Test func bytesThatAreNoRequestsGetAnErrorOrNothing() async throws {
        try await RunningServer.with { server in
            let flood = (0..<2_000).map { "X-\($0): y\r\n" }.joined()
            let cases: [(String, [UInt8])] = [
                ("noise", (0..<512).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ 13) }),
                ("no version", Array("GET /\r\n\r\n".utf8)),
                ("unknown version", Array("GET / HTTP/9.9\r\n\r\n".utf8)),
                ("header flood", Array("GET / HTTP/1.1\r\nHost: localhost\r\n\(flood)\r\n".utf8)),
                ("long header", Array("GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "y", count: 100_000))\r\n\r\n".utf8)),
                ("long path", Array("GET /\(String(repeating: "y", count: 100_000)) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
                ("negative length", Array("POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n".utf8)),
                ("two lengths", Array("POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!".utf8)),
                ("bad chunk", Array("POST /v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".utf8)),
                ("bad socket", Array("GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n".utf8)),
            ]
            for (name, bytes) in cases {
                let connection = try RawConnection(port: server.port)
                connection.write(bytes)
                let answer = connection.read()
                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(name): \(answer.prefix(80))")
                #expect(answer.components(separatedBy: "HTTP/1.1 ").count <= 2, "\(name) is answered twice: \(answer)")
                #expect(connection.isClosedByPeer, "\(name)")
            }
            #expect(try await server.get("/health").status == 200)
        }
    }

    @Test func framesThatAreNoneEndTheirConnection() async throws {
        try await RunningServer.with { server in
            let frames: [[UInt8]] = [
                [0x81, 0x05, 1, 2, 3, 4, 5],  // not masked
                [0xF1, 0x80, 0, 0, 0, 0],  // reserved bits
                [0x83, 0x80, 0, 0, 0, 0],  // an opcode that means nothing
                [0x80, 0x80, 0, 0, 0, 0],  // the rest of nothing
                [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0],  // as long as can be
                [0x89, 0xFE, 0x01, 0x00, 0, 0, 0, 0],  // a ping that is too long
            ]
            for frame in frames {
                let connection = try RawConnection(port: server.port)
                connection.write(
                    "GET /v1/realtime HTTP/1.1\r\nHost: localhost:\(server.port)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                #expect(connection.read(until: "session.created").contains("101 Switching Protocols"))
                connection.write(frame)
                _ = connection.read()
                #expect(connection.isClosedByPeer, "\(frame)")
            }
            #expect(await eventually { server.server.service.metrics.text().contains("lyra_realtime_sessions 0.0") })
            #expect(try await server.get("/health").status == 200)
        }
    }

    @Test func statusAndCounts() async throws {
        try await RunningServer.with { server in
            #expect(try await server.get("/ready").json()["status"] == "ready")
            _ = try await server.chat("Hi.")
            let text = try await server.get("/metrics").text
            #expect(text.contains("lyra_replies_total{end="))
            #expect(text.contains("lyra_first_text_seconds_count 1\n"))
            #expect(text.contains("lyra_requests_total{route=\"/v1/chat/completions\",method=\"POST\",status=\"200\"} 1.0"), "\(text)")
        }
    }

    @Test func aStopIsToldToReadersOfStreams() async throws {
        try await RunningServer.with {
            $0.maximumTokens = 100_000
            $0.shutdownGrace = .milliseconds(100)
        } _: { server in
            let connection = try RawConnection(port: server.port)
            let body = #"{"model": "lyra", "stream": true, "temperature": 0, "max_completion_tokens": 100000, "messages": [{"role": "user", "content": "Go on."}]}"#
            // The likeliest tokens go round for ever; drawn ones may be the one that ends the reply.
            connection.write(Self.request(body, port: server.port))
            #expect(connection.read(until: "delta").contains("200 OK"))
            await server.server.shutDown()
            #expect(connection.read(until: "[DONE]").contains("shutting_down"))
        }
    }

    @Test func thePageNeedsNothingFromElsewhere() async throws {
        try await RunningServer.with { server in
            let page = try await server.get("/")
            #expect(page.headers.first(name: "Content-Security-Policy")?.contains("default-src 'none'") == true)
            for path in ["/", "/page.css", "/page.js", "/recorder.js"] {
                let text = try await server.get(path).text
                #expect(text.count > 100)
                for match in text.matches(of: /https?:\/\/[a-z0-9.\/]+/) {
                    #expect(match.0.contains("www.w3.org"), "\(path) names \(match.0)")
                }
            }
        }
    }
}
