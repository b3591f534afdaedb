// Media from web addresses, where that is allowed: public addresses only, checked at the moment of connecting.
import AsyncHTTPClient
import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOPosix

struct RemoteMedia: Sendable {
    let maximumBytes: Int
    private static let maximumRedirects = 3
    private static let time = TimeAmount.seconds(20)

    /// The bytes behind an address. The name is resolved here, all its addresses have to be public, and the connection goes to
    /// the one that was checked, so that a name that changes its mind changes nothing. Redirects are checked likewise.
    func fetch(_ address: String, param: String) async throws -> [UInt8] {
        var address = address
        for _ in 0...Self.maximumRedirects {
            guard let url = URL(string: address), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme),
                let host = url.host(percentEncoded: false), url.user == nil
            else { throw APIError.invalid("This address cannot be used.", param: param, code: "invalid_url") }
            let target = try await Self.publicAddress(host, param)
            var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, timeout: .init(connect: Self.time, read: Self.time))
            configuration.dnsOverride = [host: target]
            configuration.httpVersion = .http1Only
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            do {
                let next = try await load(address, with: client, param)
                try await client.shutdown()
                switch next {
                case .bytes(let bytes): return bytes
                case .redirect(let location):
                    guard let absolute = URL(string: location, relativeTo: url)?.absoluteString else {
                        throw APIError.invalid("The address leads nowhere.", param: param, code: "invalid_url")
                    }
                    address = absolute
                }
            } catch {
                try? await client.shutdown()
                throw error as? APIError
                    ?? APIError.invalid("The address could not be fetched: \(error).", param: param, code: "remote_media_failed")
            }
        }
        throw APIError.invalid("The address redirects too often.", param: param, code: "remote_media_failed")
    }

    private enum Answer { case bytes([UInt8]), redirect(String) }

    private func load(_ address: String, with client: HTTPClient, _ param: String) async throws -> Answer {
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "User-Agent", value: "lyra")
        let response = try await client.execute(request, timeout: Self.time)
        if (300..<400).contains(response.status.code), let location = response.headers.first(name: "Location") { return .redirect(location) }
        guard response.status == .ok else {
            throw APIError.invalid("The address answers with status \(response.status.code).", param: param, code: "remote_media_failed")
        }
        var bytes: [UInt8] = []
        for try await buffer in response.body {
            guard bytes.count + buffer.readableBytes <= maximumBytes else {
                throw APIError.tooLarge("What the address holds is larger than \(maximumBytes >> 20) MB.", param: param)
            }
            bytes += buffer.readableBytesView
        }
        return .bytes(bytes)
    }

    /// One of the host's addresses, if all are public.
    private static func publicAddress(_ host: String, _ param: String) async throws -> String {
        let name = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        let found = try await MediaThreads.run { () -> [SocketAddress] in
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
            defer { freeaddrinfo(list) }
            return sequence(first: list, next: { $0?.pointee.ai_next }).compactMap { entry in
                guard let entry, let raw = entry.pointee.ai_addr else { return nil }
                var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
                guard getnameinfo(raw, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
                let end = text.firstIndex(of: 0) ?? text.endIndex
                return try? SocketAddress(ipAddress: String(decoding: text[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self), port: 0)
            }
        }
        guard let first = found.first?.ipAddress else {
            throw APIError.invalid("The address's host is not known.", param: param, code: "remote_media_failed")
        }
        guard found.allSatisfy(AddressRange.isPublic) else {
            throw APIError.invalid("Private and local addresses are not fetched from.", param: param, code: "forbidden_address")
        }
        return first
    }
}

/// Which addresses are out in the world.
enum AddressRange {
    static func isPublic(_ address: SocketAddress) -> Bool {
        switch address {
        case .v4(let v4): return isPublic(withUnsafeBytes(of: v4.address.sin_addr) { Array($0) })
        case .v6(let v6):
            let bytes = withUnsafeBytes(of: v6.address.sin6_addr) { Array($0) }
            // Addresses of IPv4 inside IPv6: mapped, NAT64, 6to4.
            if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF { return isPublic(Array(bytes[12...])) }
            if bytes[..<12] == [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0] { return isPublic(Array(bytes[12...])) }
            if bytes[0] == 0x20, bytes[1] == 0x02 { return isPublic(Array(bytes[2..<6])) }
            // Only 2000::/3 is handed out; of it, 2001:db8::/32 is for books and 2001::/32 tunnels.
            guard bytes[0] & 0xE0 == 0x20 else { return false }
            return !(bytes[0] == 0x20 && bytes[1] == 0x01 && ((bytes[2] == 0x0D && bytes[3] == 0xB8) || (bytes[2] == 0 && bytes[3] == 0)))
        case .unixDomainSocket: return false
        }
    }

    private static func isPublic(_ b: [UInt8]) -> Bool {
        switch (b[0], b[1]) {
        case (0, _), (10, _), (127, _), (224..., _): false
        case (100, 64...127), (169, 254), (172, 16...31), (192, 168), (198, 18...19): false
        case (192, 0): !(b[2] == 0 || b[2] == 2)
        case (192, 88): b[2] != 99
        case (198, 51): b[2] != 100
        case (203, 0): b[2] != 113
        default: true
        }
    }
}
