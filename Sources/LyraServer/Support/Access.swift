// Who may use the server: keys, compared in constant time, and origins of web pages.
import Foundation

/// The set of valid keys.
struct AccessKeys: Sendable {
    private let keys: [[UInt8]]

    init(_ keys: [String]) { self.keys = keys.map { Array($0.utf8) } }

    var isOpen: Bool { keys.isEmpty }

    /// The number of the key that the header or, for browsers' sockets, the protocol list brings; nil: refused.
    func holder(authorization: String?, protocols: String? = nil) -> Int? {
        guard !isOpen else { return 0 }
        var given = ""
        if let authorization, authorization.lowercased().hasPrefix("bearer ") {
            given = authorization.dropFirst(7).trimmingCharacters(in: .whitespaces)
        } else if let protocols {
            // A browser cannot set headers of a socket; OpenAI's way is a protocol of this name.
            let marker = "openai-insecure-api-key."
            let names = protocols.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            given = names.first { $0.hasPrefix(marker) }.map { String($0.dropFirst(marker.count)) } ?? ""
        }
        let bytes = Array(given.utf8)
        var found: Int?
        // All keys are looked at, each to its end, so that time tells nothing about them.
        for (index, key) in keys.enumerated() where Self.areEqual(bytes, key) { found = index }
        return found
    }

    /// Takes the same time for all `given` of one length.
    static func areEqual(_ given: [UInt8], _ key: [UInt8]) -> Bool {
        var difference = UInt64(given.count ^ key.count)
        for index in given.indices {
            difference |= UInt64(given[index] ^ (key.isEmpty ? 0 : key[index % key.count]))
        }
        return difference == 0 && !key.isEmpty
    }
}

/// Which web pages may send requests. A page of another origin must not use a server on its visitor's machine.
struct OriginPolicy: Sendable {
    let allowed: [String]
    /// Names by which a server that only this machine reaches may be called; others point to a rebound name.
    let isLocal: Bool

    /// - Parameters: the headers of a request.
    func accepts(origin: String?, host: String?) -> Bool {
        if isLocal, let host {
            let name = Self.name(of: host)
            let hosts = allowed.compactMap { URL(string: $0)?.host() }
            guard ["localhost", "127.0.0.1", "[::1]"].contains(name) || hosts.contains(name) else { return false }
        }
        guard let origin, origin != "null" || isLocal else { return true }
        if allowed.contains(origin) { return true }
        guard let separator = origin.range(of: "://"), let host else { return false }
        return origin[separator.upperBound...].lowercased() == host.lowercased()
    }

    /// Without the port.
    private static func name(of host: String) -> String {
        let host = host.lowercased()
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return String(host[...end]) }
        return String(host.prefix { $0 != ":" })
    }
}
