// Errors in OpenAI's shape: {"error": {message, type, param, code}} with the status that goes with them.
import Foundation
import HTTPTypes
import Hummingbird
import Lyra
import LyraMedia
import LyraModel
import NIOCore
import NIOHTTP1

/// What a client is told when its request fails.
public struct APIError: Error, LocalizedError, HTTPResponseError, Equatable {
    public var status: HTTPResponse.Status
    /// `invalid_request_error`, `authentication_error`, `rate_limit_error`, `server_error`.
    public var type: String
    public var message: String
    /// The field that is wrong, as a path: `messages[0].content[1].image_url.url`.
    public var param: String?
    public var code: String?
    /// Seconds after which it is worth trying again.
    public var retryAfter: Int?

    init(
        status: HTTPResponse.Status, type: String, message: String, param: String? = nil, code: String? = nil, retryAfter: Int? = nil
    ) {
        (self.status, self.type, self.message) = (status, type, message)
        (self.param, self.code, self.retryAfter) = (param, code, retryAfter)
    }

    public var errorDescription: String? { message }

    static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: .badRequest, type: "invalid_request_error", message: message, param: param, code: code)
    }

    static func unsupported(_ what: String, param: String) -> APIError {
        invalid("\(what) is not supported by this server.", param: param, code: "unsupported_parameter")
    }

    static func notFound(_ message: String, param: String? = nil, code: String = "not_found") -> APIError {
        APIError(status: .notFound, type: "invalid_request_error", message: message, param: param, code: code)
    }

    static func tooLarge(_ message: String, param: String? = nil) -> APIError {
        APIError(status: .contentTooLarge, type: "invalid_request_error", message: message, param: param, code: "request_too_large")
    }

    static func busy(_ message: String, retryAfter: Int) -> APIError {
        APIError(
            status: .tooManyRequests, type: "rate_limit_error", message: message, code: "server_busy", retryAfter: max(1, retryAfter))
    }

    static let shuttingDown = APIError(
        status: .serviceUnavailable, type: "server_error", message: "The server is shutting down.", code: "shutting_down", retryAfter: 5)

    static let timeout = APIError(
        status: .gatewayTimeout, type: "server_error",
        message: "The reply took longer than this server allows. Ask for fewer tokens, or send shorter media.", code: "timeout")

    /// What any error means to a client. Errors of this machine are not told in detail.
    init(_ error: any Error, param: String? = nil) {
        switch error {
        case let error as APIError:
            self = error
            self.param = error.param ?? param
        case let error as MediaError: self = Self.media(error, param)
        case let error as MediaUseError: self = .invalid(error.localizedDescription, param: param, code: "invalid_media")
        case let error as ImageGeometryError: self = .invalid(error.localizedDescription, param: param, code: "invalid_media")
        case let error as MissingPartError:
            self = .invalid(Self.withoutPaths(error.localizedDescription), param: param, code: "unsupported_by_model")
        case is ModelLocationError:
            self = .invalid("This model lacks the part that the request needs.", param: param, code: "unsupported_by_model")
        case let error as DecodingError: self = .init(decoding: error)
        case let error as HTTPError where error.status == .notFound: self = .notFound("There is nothing at this address.")
        case let error as HTTPError where error.status == .contentTooLarge: self = .tooLarge("The request is too large.")
        case let error as HTTPError where error.status.kind == .clientError:
            self = APIError(status: error.status, type: "invalid_request_error", message: error.body ?? error.status.reasonPhrase)
        case is HTTPParserError: self = .invalid("The request's body is no HTTP.", code: "invalid_http")
        case is CancellationError: self = .shuttingDown
        default:
            self = APIError(
                status: .internalServerError, type: "server_error", message: "The server failed on this request. Its log says why.",
                code: "internal_error")
        }
    }

    private static func media(_ error: MediaError, _ param: String?) -> APIError {
        if case .tooLarge = error { return .tooLarge(error.localizedDescription, param: param) }
        if case .cannotWrite = error {
            return APIError(status: .internalServerError, type: "server_error", message: "The server cannot write.", code: "internal_error")
        }
        return .invalid(error.localizedDescription, param: param, code: "invalid_media")
    }

    /// Messages name the checkpoint's folder, which is nobody's business.
    private static func withoutPaths(_ message: String) -> String {
        message.split(separator: " ").filter { !$0.hasPrefix("/") && !$0.contains("/config.json") }.joined(separator: " ")
    }

    private init(decoding error: DecodingError) {
        func path(_ context: DecodingError.Context) -> String? { JSONPath.text(context.codingPath) }
        switch error {
        case .keyNotFound(let key, let context):
            let name = JSONPath.text(context.codingPath + [key])
            self = .invalid("Missing required parameter: '\(name ?? key.stringValue)'.", param: name, code: "missing_required_parameter")
        case .typeMismatch(let type, let context):
            self = .invalid(
                "Invalid type for '\(path(context) ?? "the request")': expected \(JSONPath.name(of: type)).", param: path(context),
                code: "invalid_type")
        case .valueNotFound(let type, let context):
            self = .invalid(
                "Invalid value for '\(path(context) ?? "the request")': null, expected \(JSONPath.name(of: type)).", param: path(context),
                code: "invalid_type")
        case .dataCorrupted(let context):
            self =
                context.codingPath.isEmpty
                ? .invalid("We could not parse the JSON body of your request.", code: "invalid_json")
                : .invalid("Invalid value for '\(path(context) ?? "")': \(context.debugDescription)", param: path(context), code: "invalid_value")
        @unknown default: self = .invalid("The request could not be understood.")
        }
    }

    /// The body, for responses and for events of a stream that has begun.
    var json: [UInt8] { JSON.bytes(Envelope(error: .init(message: message, type: type, param: param, code: code))) }

    private struct Envelope: Encodable { var error: Body }
    struct Body: Encodable {
        var message: String
        var type: String
        var param: String?
        var code: String?

        enum CodingKeys: CodingKey { case message, type, param, code }

        /// Fields that are not known are null, as clients expect.
        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(message, forKey: .message)
            try values.encode(type, forKey: .type)
            try values.encode(param, forKey: .param)
            try values.encode(code, forKey: .code)
        }
    }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        var headers: HTTPFields = [.contentType: "application/json; charset=utf-8"]
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: json)))
    }
}
