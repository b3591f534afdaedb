// Media of requests -> parts of a turn: data in the request, uploaded files, and addresses where that is allowed.
import Foundation
import Lyra
import LyraMedia

/// Resolves the media of one request, and keeps count of them.
final class MediaResolver {
    private let options: ServerOptions
    private let files: FileStore
    private let remote: RemoteMedia?
    private let owner: String
    private var count = 0

    init(options: ServerOptions, files: FileStore, remote: RemoteMedia?, owner: String) {
        (self.options, self.files, self.remote, self.owner) = (options, files, remote, owner)
    }

    func part(_ body: PartBody, place: String) async throws -> Part {
        func missing(_ name: String) -> APIError {
            .invalid("Missing required parameter: '\(place).\(name)'.", param: "\(place).\(name)", code: "missing_required_parameter")
        }
        switch body.type {
        case "text", "input_text":
            guard let text = body.text else { throw missing("text") }
            return .text(text)
        case "image_url", "input_image":
            guard let address = body.imageUrl else { throw missing("image_url") }
            return try await medium(.image, address.url, "\(place).image_url.url")
        case "video_url":
            guard let address = body.videoUrl else { throw missing("video_url") }
            return try await medium(.video, address.url, "\(place).video_url.url")
        case "audio_url":
            guard let address = body.audioUrl else { throw missing("audio_url") }
            return try await medium(.sound, address.url, "\(place).audio_url.url")
        case "input_audio":
            guard let audio = body.inputAudio else { throw missing("input_audio") }
            let place = "\(place).input_audio.data"
            let bytes = try audio.data.hasPrefix("data:") ? Base64.dataURL(audio.data, place) : Base64.decode(audio.data, place)
            return try await checked(.sound, .bytes(bytes), place)
        case "file":
            if let id = body.file?.fileId {
                let file = try await files.find(id, owner: owner)
                return try await checked(file.kind, .file(file.path), "\(place).file.file_id")
            }
            if let data = body.file?.fileData {
                let place = "\(place).file.file_data"
                let bytes = try Base64.dataURL(data, place)
                return try await checked(MediaKind(bytes: bytes, name: nil), .bytes(bytes), place)
            }
            throw missing("file.file_id")
        default:
            throw APIError.invalid(
                "'\(body.type)' is no kind of content this server knows: text, image_url, input_audio, video_url, audio_url, file.",
                param: "\(place).type", code: "invalid_value")
        }
    }

    private func medium(_ kind: MediaKind, _ address: String, _ place: String) async throws -> Part {
        if address.hasPrefix("data:") { return try await checked(kind, .bytes(try Base64.dataURL(address, place)), place) }
        guard address.hasPrefix("http://") || address.hasPrefix("https://") else {
            throw APIError.invalid("An address here is a data URL (data:image/png;base64,…) or begins with http.", param: place, code: "invalid_url")
        }
        guard let remote else {
            throw APIError.invalid(
                "This server fetches nothing from elsewhere (see --allow-remote). Send the file as a data URL.", param: place,
                code: "remote_media_disabled")
        }
        return try await checked(kind, .bytes(try await remote.fetch(address, param: place)), place)
    }

    /// Looks at a medium before any of the model's time is spent on it.
    private func checked(_ kind: MediaKind, _ source: MediaSource, _ place: String) async throws -> Part {
        count += 1
        guard count <= options.maximumMedia else {
            throw APIError.invalid("There are more than \(options.maximumMedia) pictures, videos and recordings.", param: place, code: "too_many_media")
        }
        let check = MediaCheck(options)
        do {
            // Decoding blocks its thread.
            return try await MediaThreads.run {
                switch kind {
                case .image:
                    try check.image(source)
                    return .image(source)
                case .video:
                    try check.video(source)
                    return .video(source)
                case .sound:
                    _ = try check.sound(source)
                    return .speech(source)
                }
            }
        } catch {
            throw APIError(error, param: place)
        }
    }
}

/// Base64 of requests.
enum Base64 {
    static func decode(_ text: String, _ place: String) throws -> [UInt8] {
        guard let data = Data(base64Encoded: text), !data.isEmpty else {
            throw APIError.invalid("This is not base64, or nothing.", param: place, code: "invalid_base64")
        }
        return Array(data)
    }

    /// `data:image/png;base64,…`
    static func dataURL(_ text: String, _ place: String) throws -> [UInt8] {
        guard text.hasPrefix("data:"), let comma = text.utf8.prefix(256).firstIndex(of: UInt8(ascii: ",")),
            text[..<comma].hasSuffix(";base64")
        else {
            throw APIError.invalid("This is no data URL with base64 (data:image/png;base64,…).", param: place, code: "invalid_url")
        }
        return try decode(String(text[text.index(after: comma)...]), place)
    }
}

/// Threads for decoding, which must not hold up everything asynchronous.
enum MediaThreads {
    private static let queue = DispatchQueue(label: "lyra.server.media", qos: .userInitiated, attributes: .concurrent)

    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
