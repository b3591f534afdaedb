// What all routes share: the model, its places, counts, files.
import Foundation
import Hummingbird
import Logging
import Lyra
import LyraModel
import Synchronization

final class Service: Sendable {
    let lyra: Lyra
    let options: ServerOptions
    let metrics = Metrics()
    let scheduler: Scheduler
    let files: FileStore
    let remote: RemoteMedia?
    let keys: AccessKeys
    let origins: OriginPolicy
    let logger: Logger
    /// Layers of the language model, which the extractor splits.
    let layers: Int
    let started = Date()
    let spoken = SpokenReplies()
    let realtime: RealtimeSessions

    init(lyra: Lyra, options: ServerOptions, logger: Logger) async {
        (self.lyra, self.options, self.logger) = (lyra, options, logger)
        scheduler = Scheduler(places: options.maximumSessions, queueLimit: options.maximumQueue, metrics: metrics)
        files = FileStore(folder: options.folder, maximumBytes: options.maximumStoredBytes)
        remote = options.allowsRemoteMedia ? RemoteMedia(maximumBytes: options.maximumUploadBytes) : nil
        keys = AccessKeys(options.apiKeys)
        origins = OriginPolicy(allowed: options.allowedOrigins, isLocal: options.isLocal)
        layers = await lyra.withNetworks { $0.configuration.layers }
        realtime = RealtimeSessions(limit: options.maximumSessions, metrics: metrics)
    }

    var modelName: String { options.modelNames.first ?? "lyra" }

    /// - Throws: `APIError` 404 for a model that is not this one.
    func checkModel(_ name: String) throws {
        guard options.modelNames.contains(name) else {
            throw APIError.notFound(
                "The model '\(name.prefix(100))' does not exist here. This server has: \(options.modelNames.joined(separator: ", ")).",
                param: "model", code: "model_not_found")
        }
    }

    func resolver(owner: String) -> MediaResolver {
        MediaResolver(options: options, files: files, remote: remote, owner: owner)
    }

    /// Counts a finished reply.
    func count(_ reply: Reply) {
        metrics.add("lyra_replies_total", [("end", reply.finishReason.rawValue)])
        metrics.add("lyra_prompt_tokens_total", by: Double(reply.usage.promptTokens))
        metrics.add("lyra_cached_tokens_total", by: Double(reply.usage.cachedTokens))
        metrics.add("lyra_completion_tokens_total", by: Double(reply.usage.completionTokens))
        metrics.add("lyra_heard_seconds_total", by: reply.usage.speechSeconds)
        metrics.add("lyra_spoken_seconds_total", by: reply.usage.spokenSeconds)
    }
}

/// The words of replies that were spoken, for clients that refer to them by name.
final class SpokenReplies: Sendable {
    static let limit = 1_000
    static let lifetime = 3_600
    private struct Entry {
        var owner: String
        var text: String
        var expires: Int
    }
    private let entries = Mutex<(byName: [String: Entry], order: [String])>(([:], []))

    /// - Returns: when the name is forgotten, in seconds since 1970.
    func remember(_ id: String, _ text: String, owner: String) -> Int {
        let expires = Int(Date().timeIntervalSince1970) + Self.lifetime
        entries.withLock { entries in
            entries.byName[id] = Entry(owner: owner, text: text, expires: expires)
            entries.order.append(id)
            if entries.order.count > Self.limit { entries.byName[entries.order.removeFirst()] = nil }
        }
        return expires
    }

    func text(_ id: String, owner: String) -> String? {
        let entry = entries.withLock { $0.byName[id] }
        guard let entry, entry.owner == owner, entry.expires > Int(Date().timeIntervalSince1970) else { return nil }
        return entry.text
    }
}

/// Names of things, which nobody guesses.
enum Names {
    static func new(_ kind: String) -> String {
        var random = SystemRandomNumberGenerator()
        return kind + "-" + (0..<24).map { _ in String(Int.random(in: 0..<36, using: &random), radix: 36) }.joined()
    }
}
