// A large language model behind an OpenAI-compatible endpoint: text in, text out.
import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A chat endpoint that does not do what it should.
public enum EndpointError: Error, LocalizedError, Equatable {
    case invalidAddress(String)
    case unreachable(address: String, reason: String)
    case refused(address: String, status: Int, message: String)
    case unexpected(address: String, reply: String)

    public var errorDescription: String? {
        switch self {
        case .invalidAddress(let text): "'\(text)' is no address of an endpoint; give one like http://localhost:8000/v1"
        case .unreachable(let address, let reason): "cannot reach \(address): \(reason)"
        case .refused(let address, let status, let message): "\(address) answered \(status)" + (message.isEmpty ? "" : ": \(message)")
        case .unexpected(let address, let reply): "\(address) sent no chat completion but '\(reply)'"
        }
    }
}

/// An OpenAI-compatible chat endpoint.
public struct ChatEndpoint: Sendable {
    private let address: URL
    private let model: String
    private let key: String?
    /// Seconds for one reply.
    public var timeout = 120.0
    /// How often a request is sent at most; servers that are busy or down are asked again, later each time.
    public var attempts = 4
    /// Seconds before the second attempt.
    public var pause = 1.0

    /// - Parameters:
    ///   - address: of the API, such as `https://api.openai.com/v1`.
    ///   - key: sent as a bearer token.
    public init(_ address: String, model: String, key: String? = nil) throws(EndpointError) {
        let base = address.hasSuffix("/") ? String(address.dropLast()) : address
        guard let url = URL(string: base.hasSuffix("/chat/completions") ? base : base + "/chat/completions"),
            let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme), url.host?.isEmpty == false
        else { throw .invalidAddress(address) }
        (self.address, self.model, self.key) = (url, model, key)
    }

    private struct Request: Encodable {
        struct Message: Encodable { var role, content: String }
        var model: String
        var messages: [Message]
        var temperature: Double
        var max_tokens: Int
    }

    private struct Completion: Decodable {
        struct Choice: Decodable {
            struct Message: Decodable { var content: String? }
            var message: Message
        }
        var choices: [Choice]
    }

    /// One request, as JSON.
    func body(_ messages: [(role: String, text: String)], maximumTokens: Int) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(
            Request(
                model: model, messages: messages.map { .init(role: $0.role, content: $0.text) }, temperature: 0,
                max_tokens: maximumTokens))
    }

    /// The reply to a conversation.
    public func reply(to messages: [(role: String, text: String)], maximumTokens: Int) async throws -> String {
        var request = URLRequest(url: address, timeoutInterval: timeout)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
        request.httpBody = try body(messages, maximumTokens: maximumTokens)
        var attempt = 1
        while true {
            do {
                return try await send(request)
            } catch let error as EndpointError where attempt < attempts && Self.mayPass(error) {
                try await Task.sleep(for: .seconds(pause * Double(1 << (attempt - 1))))
                attempt += 1
            }
        }
    }

    private func send(_ request: URLRequest) async throws -> String {
        let data: Data, response: URLResponse
        do { (data, response) = try await URLSession.shared.data(for: request) } catch {
            try Task.checkCancellation()
            throw EndpointError.unreachable(address: address.absoluteString, reason: error.localizedDescription)
        }
        let text = String(decoding: data.prefix(300), as: UTF8.self)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        guard status == 200 else { throw EndpointError.refused(address: address.absoluteString, status: status, message: text) }
        guard let content = try? JSONDecoder().decode(Completion.self, from: data).choices.first?.message.content else {
            throw EndpointError.unexpected(address: address.absoluteString, reply: text)
        }
        return content
    }

    private static func mayPass(_ error: EndpointError) -> Bool {
        switch error {
        case .unreachable: true
        case .refused(_, let status, _): status == 429 || status >= 500
        case .invalidAddress, .unexpected: false
        }
    }
}
