// lyra serve: the model for other programs and for browsers.
import ArgumentParser
import Foundation
import Logging
import Lyra
import LyraServer

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the model over HTTP: OpenAI's interface, realtime voice, and a web page to talk to.",
        discussion: """
            Programs made for OpenAI's interface work with this server when they are told its address, \
            http://127.0.0.1:8080/v1: chat with pictures and sound in and speech out, transcriptions, speech, files, and realtime \
            conversations. A browser finds a page to talk to at http://127.0.0.1:8080. docs/server.md describes it all.

            Without --api-key everybody who reaches the port is served; give keys (or LYRA_API_KEY) with any other --host. \
            Microphones work in browsers on this machine, or over TLS.

            Examples:
              lyra serve
              lyra serve --host 0.0.0.0 --api-key "$SECRET" --tls-cert cert.pem --tls-key key.pem
              curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' \\
                -d '{"model": "lyra", "messages": [{"role": "user", "content": "Hello?"}], "stream": true}'
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Address") var address: AddressOptions
    @OptionGroup(title: "Limits") var limits: LimitOptions

    struct AddressOptions: ParsableArguments {
        @Option(help: ArgumentHelp("Address to listen on; 0.0.0.0 for all of this machine's.", valueName: "address"))
        var host = "127.0.0.1"

        @Option(help: ArgumentHelp("Port to listen on; 0 takes a free one.", valueName: "n"))
        var port = 8080

        @Option(
            help: ArgumentHelp("A key that requests have to bring; may be given several times. Default: LYRA_API_KEY.", valueName: "key"))
        var apiKey: [String] = []

        @Option(help: ArgumentHelp("Certificate chain (PEM); serves over TLS.", valueName: "file"))
        var tlsCert: String?

        @Option(help: ArgumentHelp("The certificate's private key (PEM).", valueName: "file"))
        var tlsKey: String?

        @Option(
            help: ArgumentHelp("Another origin whose web pages may use the server, e.g. https://example.org.", valueName: "origin"))
        var allowOrigin: [String] = []

        @Option(help: ArgumentHelp("A name that requests may give for the model, beside 'lyra' and the folder's.", valueName: "name"))
        var modelName: [String] = []
    }

    struct LimitOptions: ParsableArguments {
        @Option(help: ArgumentHelp("Replies made at once, and realtime connections.", valueName: "n"))
        var maxSessions = 8

        @Option(help: ArgumentHelp("Requests that may wait for their turn.", valueName: "n"))
        var maxQueue = 64

        @Option(help: ArgumentHelp("Largest request, in MB.", valueName: "mb"))
        var maxUpload = 100

        @Option(help: ArgumentHelp("Longest recording.", valueName: "minutes"))
        var maxAudioMinutes = 120.0

        @Option(help: ArgumentHelp("Most tokens of one reply.", valueName: "n"))
        var maxTokens = 4_096

        @Option(help: ArgumentHelp("Longest time for one reply, waiting included.", valueName: "seconds"))
        var timeout = 600.0

        @Option(help: ArgumentHelp("Where uploaded files are kept while the server runs. Default: ~/.cache/lyra/files-PORT.", valueName: "dir"))
        var files: String?

        @Flag(help: "Fetch pictures and recordings from public web addresses that requests name.")
        var allowRemote = false
    }

    func run() async throws {
        Log.start(verbose: model.verbose)
        let options = try serverOptions()
        _ = try model.resolve()
        let (lyra, _) = try await model.open(returnsMemory: true)
        var serverOptions = options
        let folder = URL(fileURLWithPath: lyra.location.model).lastPathComponent
        for name in address.modelName + [folder] where !serverOptions.modelNames.contains(name) { serverOptions.modelNames.append(name) }
        let scheme = address.tlsCert == nil ? "http" : "https"
        let host = address.host.contains(":") ? "[\(address.host)]" : address.host
        let server = try await LyraServer(lyra: lyra, options: serverOptions, logger: Log.command) { port in
            Terminal.shared.say("lyra serves \(lyra.location.model) at \(scheme)://\(host):\(port)")
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await server.run()
                return true
            }
            group.addTask {
                await Self.untilInterrupted()
                if !Task.isCancelled { await server.shutDown() }
                return false
            }
            while let hasEnded = try await group.next() { if hasEnded { group.cancelAll() } }
        }
    }

    /// Returns when Ctrl-C or a request to terminate comes; a second one ends the process at once.
    private static func untilInterrupted() async {
        let (interrupts, sink) = AsyncStream<Void>.makeStream()
        let isFirst = Once()
        Interrupts.handle {
            guard isFirst.take() else { return false }
            Terminal.shared.say("lyra is stopping: replies in the making may finish; once more stops at once")
            sink.yield()
            return true
        }
        for await _ in interrupts { return }
    }

    private func serverOptions() throws -> ServerOptions {
        func check(_ isRight: Bool, _ message: String) throws(UsageError) { if !isRight { throw UsageError(message) } }
        try check((0...65_535).contains(address.port), "--port is \(address.port); give 0 to 65535")
        try check(limits.maxSessions >= 1, "--max-sessions is \(limits.maxSessions); give 1 or more")
        try check(limits.maxQueue >= 0, "--max-queue is \(limits.maxQueue); give 0 or more")
        try check((1...4_096).contains(limits.maxUpload), "--max-upload is \(limits.maxUpload); give 1 to 4096 MB")
        try check(limits.maxAudioMinutes > 0, "--max-audio-minutes is \(limits.maxAudioMinutes); give more than 0")
        try check(limits.maxTokens >= 1, "--max-tokens is \(limits.maxTokens); give 1 or more")
        try check(limits.timeout > 0, "--timeout is \(limits.timeout); give more than 0 seconds")
        try check((address.tlsCert == nil) == (address.tlsKey == nil), "--tls-cert and --tls-key go together")
        for file in [address.tlsCert, address.tlsKey].compactMap({ $0 }) where !FileManager.default.isReadableFile(atPath: file) {
            throw MissingInput("no file at \(file) that can be read")
        }
        var options = ServerOptions()
        (options.host, options.port) = (address.host, address.port)
        options.apiKeys = address.apiKey
        if options.apiKeys.isEmpty, let key = ProcessInfo.processInfo.environment["LYRA_API_KEY"], !key.isEmpty { options.apiKeys = [key] }
        try check(options.apiKeys.allSatisfy { !$0.isEmpty }, "--api-key is empty")
        (options.tlsCertificate, options.tlsKey) = (address.tlsCert, address.tlsKey)
        options.allowedOrigins = address.allowOrigin
        (options.maximumSessions, options.maximumQueue) = (limits.maxSessions, limits.maxQueue)
        options.maximumUploadBytes = limits.maxUpload << 20
        options.maximumAudioSeconds = limits.maxAudioMinutes * 60
        options.maximumTokens = limits.maxTokens
        options.requestTimeout = .seconds(limits.timeout)
        options.filesFolder = limits.files
        options.allowsRemoteMedia = limits.allowRemote
        return options
    }
}
