// Limits on media, checked by reading what the files say and, for sound, what they hold.
import Foundation
import LyraMedia

enum MediaKind: String, Sendable, Codable {
    case image, video, sound

    private static let sounds: Set = ["wav", "mp3", "flac", "opus", "ogg", "oga", "m4a", "aac", "aif", "aiff", "amr", "mpga", "wma", "caf"]

    /// What a file is: by its name where that is clear, else by what can be read from it.
    /// - Throws: `APIError` if it is none.
    init(bytes: [UInt8], name: String?) throws {
        let source = MediaSource.bytes(bytes)
        if let name, Self.sounds.contains((name as NSString).pathExtension.lowercased()) {
            self = .sound
        } else if (try? ImageReader.size(of: source)) != nil {
            self = .image
        } else if let video = try? VideoReader(source), video.info.frameCount > 1 {
            self = .video
        } else if (try? AudioReader(source)) != nil {
            self = .sound
        } else {
            throw APIError.invalid("The file is no picture, video or recording that can be read.", param: "file", code: "invalid_media")
        }
    }
}

struct MediaCheck: Sendable {
    private let limits: MediaLimits
    private let maximumSeconds: Double

    init(_ options: ServerOptions) {
        var limits = MediaLimits()
        limits.pixels = options.maximumPixels
        limits.pictureBytes = options.maximumUploadBytes
        self.limits = limits
        maximumSeconds = options.maximumAudioSeconds
    }

    func image(_ source: MediaSource) throws { _ = try ImageReader.size(of: source, limits: limits) }

    func video(_ source: MediaSource) throws {
        let video = try VideoReader(source, limits: limits)
        guard video.info.duration <= maximumSeconds else { throw tooLong(video.info.duration) }
    }

    /// Its length in seconds. A header can say anything, so the recording is decoded, up to the limit.
    @discardableResult
    func sound(_ source: MediaSource) throws -> Double {
        let reader = try AudioReader(source)
        if let told = reader.estimatedDuration, told > maximumSeconds { throw tooLong(told) }
        var samples = 0
        while case let count = try reader.read(maximumCount: 1 << 18).count, count > 0 {
            samples += count
            if Double(samples) > maximumSeconds * 16_000 { throw tooLong(Double(samples) / 16_000) }
        }
        guard samples > 0 else {
            throw APIError.invalid("The recording holds no sound.", code: "invalid_media")
        }
        return Double(samples) / 16_000
    }

    private func tooLong(_ seconds: Double) -> APIError {
        .tooLarge(
            "The recording is longer (\(Int(seconds)) s or more) than the \(Int(maximumSeconds / 60)) minutes that this server takes "
                + "(--max-audio-minutes).")
    }
}
