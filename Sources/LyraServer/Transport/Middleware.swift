// What happens to every request: counting, errors in one shape, origins and keys.
import Hummingbird
import HTTPTypes
import Logging
import NIOCore

/// Turns whatever is thrown into an error of OpenAI's shape, counts, and sets the headers that protect the page.
struct OutermostMiddleware: RouterMiddleware {
    let metrics: Metrics

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            let told = APIError(error)
            if told.status.kind == .serverError, told != .shuttingDown {
                context.logger.error("\(request.method) \(request.uri.path): \(error)")
            }
            response = try told.response(from: request, context: context)
        }
        response.headers[.init("X-Content-Type-Options")!] = "nosniff"
        response.headers[.init("X-Request-Id")!] = context.id
        metrics.add(
            "lyra_requests_total",
            [("route", context.endpointPath ?? "none"), ("method", Self.known(request.method)), ("status", "\(response.status.code)")])
        return response
    }

    /// Names from outside do not become labels.
    private static func known(_ method: HTTPRequest.Method) -> String {
        [.get, .post, .delete, .head, .options].contains(method) ? method.rawValue : "other"
    }
}

/// Lets in those who may come: by origin, and by key where the path needs one.
struct AccessMiddleware: RouterMiddleware {
    let keys: AccessKeys
    let origins: OriginPolicy

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
        let origin = request.headers[.origin]
        guard origins.accepts(origin: origin, host: request.head.authority) else {
            throw APIError(
                status: .forbidden, type: "invalid_request_error",
                message: "Web pages of this origin, or requests by this host name, are not served. See --allow-origin.", code: "forbidden_origin")
        }
        let isCross = origin.map { origins.allowed.contains($0) } ?? false
        if isCross, request.method == .options {
            return Response(status: .noContent, headers: Self.cross(origin))
        }
        var context = context
        if request.uri.path.hasPrefix("/v1/") {
            guard let holder = keys.holder(authorization: request.headers[.authorization]) else {
                throw APIError(
                    status: .unauthorized, type: "authentication_error",
                    message: "Incorrect API key provided, or none. Send it as: Authorization: Bearer KEY.", code: "invalid_api_key")
            }
            if !keys.isOpen {
                context.client = "key \(holder)"
                context.owner = context.client
            }
        }
        var response = try await next(request, context)
        if isCross { for field in Self.cross(origin) { response.headers[field.name] = field.value } }
        return response
    }

    private static func cross(_ origin: String?) -> HTTPFields {
        [
            .accessControlAllowOrigin: origin ?? "", .accessControlAllowHeaders: "authorization, content-type",
            .accessControlAllowMethods: "GET, POST, DELETE", .vary: "Origin",
        ]
    }
}
