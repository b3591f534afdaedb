// Models, health, and counts.
import Foundation
import Hummingbird
import HTTPTypes
import NIOCore

struct InfoRoutes: Sendable {
    let service: Service

    func add(to router: Router<Context>) {
        router.get("/v1/models") { _, _ in
            Response.json(List(data: service.options.modelNames.map { Model(id: $0, created: created) }))
        }
        router.get("/v1/models/{id}") { _, context in
            let id = try context.parameters.require("id")
            try service.checkModel(id)
            return Response.json(Model(id: id, created: created))
        }
        router.get("/health") { _, _ in Response.json(Status(status: "ok")) }
        router.get("/ready") { _, _ in
            if await service.scheduler.isStopping { throw APIError.shuttingDown }
            if await service.scheduler.isFull {
                throw APIError(
                    status: .serviceUnavailable, type: "server_error", message: "The queue is full.", code: "server_busy", retryAfter: 1)
            }
            return Response.json(Status(status: "ready"))
        }
        router.get("/metrics") { request, _ in
            // Whoever needs a key for answers needs it for counts.
            guard service.keys.holder(authorization: request.headers[.authorization]) != nil else {
                throw APIError(
                    status: .unauthorized, type: "authentication_error", message: "The counts need a key, too.", code: "invalid_api_key")
            }
            return Response.text(service.metrics.text(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
    }

    private var created: Int { Int(service.started.timeIntervalSince1970) }

    private struct Status: Encodable { var status: String }
    private struct Model: Encodable {
        var id: String
        var object = "model"
        var created: Int
        var ownedBy = "lyra"
    }
    private struct List: Encodable {
        var object = "list"
        var data: [Model]
    }
}
