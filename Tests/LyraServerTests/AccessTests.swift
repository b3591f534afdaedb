// Who is let in: keys, origins, addresses.
import Foundation
@testable import LyraServer
import NIOCore
import NIOHTTP1
import Testing

@Suite(.serialized) struct AccessTests {
    @Test func keysAreComparedWhole() {
        let keys = AccessKeys(["sesame", "mellon"])
        #expect(keys.holder(authorization: "Bearer sesame") == 0)
        #expect(keys.holder(authorization: "bearer mellon") == 1)
        for wrong in ["Bearer sesam", "Bearer sesames", "Bearer sesamesesame", "Bearer ", "Basic sesame", "sesame"] {
            #expect(keys.holder(authorization: wrong) == nil, "\(wrong)")
        }
        #expect(keys.holder(authorization: nil) == nil)
        #expect(keys.holder(authorization: nil, protocols: "realtime, openai-insecure-api-key.mellon") == 1)
        #expect(AccessKeys([]).holder(authorization: nil) == 0)
    }

    @Test func requestsNeedAKeyButThePageDoesNot() async throws {
        try await RunningServer.with { $0.apiKeys = ["secret"] } _: { server in
            let stranger = RunningServer(server: server.server, port: server.port)
            for path in ["/v1/models", "/v1/files", "/v1/unknown", "/metrics"] {
                let answer = try await stranger.get(path)
                #expect(answer.status == 401, "\(path)")
                #expect(try answer.json()["error"]?["code"] == "invalid_api_key")
            }
            #expect(try await stranger.get("/").status == 200)
            #expect(try await stranger.get("/health").status == 200)
            #expect(try await server.get("/v1/models").json()["data"]?.list?.first?["id"] == "lyra")
            #expect(try await server.get("/v1/models/lyra").status == 200)
            #expect(try await server.get("/v1/models/other").status == 404)
            #expect(try await server.get("/nothing").json()["error"]?["type"] == "invalid_request_error")
        }
    }

    @Test func otherOriginsAndReboundNamesAreRefused() async throws {
        try await RunningServer.with { $0.allowedOrigins = ["https://friend.example"] } _: { server in
            func status(_ headers: [String: String]) async throws -> Int { try await server.send(.GET, "/v1/models", headers: headers).status }
            #expect(try await status(["Origin": "https://evil.example"]) == 403)
            #expect(try await status(["Host": "evil.example"]) == 403)
            #expect(try await status(["Origin": "http://127.0.0.1:\(server.port)"]) == 200)
            let friend = try await server.send(.GET, "/v1/models", headers: ["Origin": "https://friend.example"])
            #expect(friend.headers.first(name: "Access-Control-Allow-Origin") == "https://friend.example")
        }
        let open = OriginPolicy(allowed: [], isLocal: false)
        #expect(open.accepts(origin: nil, host: "lyra.example"))
        #expect(open.accepts(origin: "https://lyra.example", host: "lyra.example"))
        #expect(!open.accepts(origin: "https://evil.example", host: "lyra.example"))
    }

    @Test func onlyPublicAddressesAreFetchedFrom() throws {
        for text in [
            "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
            "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
            "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "ff02::1",
        ] { #expect(!AddressRange.isPublic(try SocketAddress(ipAddress: text, port: 0)), "\(text)") }
        for text in ["8.8.8.8", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            #expect(AddressRange.isPublic(try SocketAddress(ipAddress: text, port: 0)), "\(text)")
        }
    }

    @Test(arguments: ["http://127.0.0.1/", "http://localhost:8080/x", "http://[::1]/", "http://169.254.169.254/latest", "http://0x7f000001/", "http://user@127.0.0.1/"])
    func localAddressesAreNotFetched(address: String) async throws {
        await #expect(throws: APIError.self) { try await RemoteMedia(maximumBytes: 1_000).fetch(address, param: "url") }
    }
}
