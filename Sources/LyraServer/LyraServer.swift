// The server: routes, connections, and how it ends.
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import Lyra
import NIOCore
import NIOSSL
import ServiceLifecycle

/// An OpenAI-compatible server of one open model.
///
/// ```swift
/// let server = await LyraServer(lyra: lyra, options: ServerOptions())
/// try await server.run { port in print("http://127.0.0.1:\(port)") }
/// ```
public final class LyraServer: Sendable {
    let service: Service
    private let group: ServiceGroup

    /// - Throws: what is wrong with the certificate or the key of TLS.
    public init(
        lyra: Lyra, options: ServerOptions, logger: Logger = Logger(label: "lyra.server"),
        onListening: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) async throws {
        let service = await Service(lyra: lyra, options: options, logger: logger)
        self.service = service
        let application = Application(
            router: Self.router(service), server: try Self.connections(service),
            configuration: ApplicationConfiguration(address: .hostname(options.host, port: options.port), serverName: "lyra"),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? options.port) }, logger: logger)
        var configuration = ServiceGroupConfiguration(services: [application], logger: logger)
        configuration.maximumGracefulShutdownDuration = options.shutdownGrace + .seconds(5)
        group = ServiceGroup(configuration: configuration)
    }

    /// Serves until ``shutDown()`` is called or the task is cancelled.
    public func run() async throws {
        defer { Task { [service] in await service.files.clear() } }
        try await group.run()
    }

    /// Ends the server: nothing new is begun; replies in the making get ``ServerOptions/shutdownGrace`` to finish, then their
    /// readers are told.
    public func shutDown() async {
        await service.scheduler.stop()
        service.realtime.stop()
        let began = ContinuousClock.now
        while await service.scheduler.runningCount > 0, ContinuousClock.now - began < service.options.shutdownGrace {
            try? await Task.sleep(for: .milliseconds(50))
        }
        await service.scheduler.cancelAll()
        await group.triggerGracefulShutdown()
    }

    private static func router(_ service: Service) -> Router<Context> {
        let router = Router(context: Context.self)
        router.addMiddleware {
            OutermostMiddleware(metrics: service.metrics)
            AccessMiddleware(keys: service.keys, origins: service.origins)
        }
        InfoRoutes(service: service).add(to: router)
        ChatRoutes(service: service).add(to: router)
        TranscriptionRoutes(service: service).add(to: router)
        SpeechRoutes(service: service).add(to: router)
        FileRoutes(service: service).add(to: router)
        PageRoutes().add(to: router)
        return router
    }

    private static func connections(_ service: Service) throws -> HTTPServerBuilder {
        let options = service.options
        let limits = ConnectionLimits(bodyBytes: options.maximumUploadBytes + (1 << 20))
        let socket = RealtimeRoute(service: service).socket
        guard let certificate = options.tlsCertificate, let key = options.tlsKey else {
            return HTTPServerBuilder { ServerChannel(responder: $0, socket: socket, limits: limits) }
        }
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        tls.minimumTLSVersion = .tlsv12
        return HTTPServerBuilder { [tls] responder in
            try TLSChannel(ServerChannel(responder: responder, socket: socket, limits: limits), tlsConfiguration: tls)
        }
    }
}
