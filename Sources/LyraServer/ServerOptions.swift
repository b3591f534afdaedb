// Settings of a server, and the limits that keep its memory known.
import Foundation

/// What a server offers, and to whom.
public struct ServerOptions: Sendable {
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = 8080
    /// Keys of which each request has to bring one (`Authorization: Bearer …`); none: everybody is served.
    public var apiKeys: [String] = []
    /// Names the model answers to; the first is listed.
    public var modelNames = ["lyra"]
    /// Replies made at the same time, and realtime connections held open.
    public var maximumSessions = 8
    /// Requests that wait for their turn; more are refused.
    public var maximumQueue = 64
    /// Bytes of a request.
    public var maximumUploadBytes = 100 << 20
    /// Length of one recording, in seconds.
    public var maximumAudioSeconds = 7_200.0
    /// Pixels of one picture or of a frame of a video.
    public var maximumPixels = 50_000_000
    /// Pictures, videos and recordings of one conversation.
    public var maximumMedia = 64
    /// Tokens of one reply, whatever a request asks for.
    public var maximumTokens = 4_096
    /// Tokens of one reply to a request that does not say.
    public var defaultTokens = 512
    /// Time for one reply, waiting included.
    public var requestTimeout = Duration.seconds(600)
    /// Time for one transcription: long recordings take long.
    public var transcriptionTimeout = Duration.seconds(7_200)
    /// Time that running replies get to finish when the server is stopped.
    public var shutdownGrace = Duration.seconds(30)
    /// Whether pictures and recordings are fetched from public web addresses that requests name.
    public var allowsRemoteMedia = false
    /// Origins of other web pages that may use this server, such as `https://example.org`.
    public var allowedOrigins: [String] = []
    /// Where uploaded files are kept; nothing else is written.
    public var filesFolder: String?
    /// Bytes of all uploaded files together.
    public var maximumStoredBytes = 10 << 30
    public var tlsCertificate: String?
    public var tlsKey: String?

    public init() {}

    /// Where files are kept: by default `lyra/files-PORT` in the user's cache folder.
    var folder: String {
        if let filesFolder { return filesFolder }
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.cache"
        return cache + "/lyra/files-\(port)"
    }

    /// Whether only programs on this machine can reach the server.
    var isLocal: Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }
}
