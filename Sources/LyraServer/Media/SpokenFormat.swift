// The sound of replies as bytes, in the formats that clients ask for.
import Foundation
import Lyra
import LyraMedia

struct SpokenFormat: Sendable {
    /// As the client said it.
    let name: String
    let format: AudioFormat

    init(name: String, param: String) throws {
        self.name = name
        switch name {
        case "pcm", "pcm16": format = .pcm
        case "wav": format = .wav
        case "mp3": format = .mp3
        case "opus": format = .opus
        case "flac": format = .flac
        default:
            throw APIError.invalid("'\(name.prefix(40))' is no format of sound that this server writes: wav, mp3, flac, opus, pcm16.", param: param, code: "invalid_value")
        }
    }
}

/// Encodes chunks of sound as they come.
final class SoundEncoder {
    /// Raw samples have this rate, which clients of OpenAI's interface take for granted.
    static let rawRate = 24_000
    private let format: AudioFormat
    private var encoder: AudioEncoder?
    private var resampler: Resampler?
    private(set) var seconds = 0.0

    init(_ format: SpokenFormat) { self.format = format.format }

    func append(_ chunk: AudioChunk) throws -> [UInt8] {
        seconds += Double(chunk.samples.count) / Double(chunk.sampleRate)
        if encoder == nil {
            if format == .pcm { resampler = Resampler(from: chunk.sampleRate, to: Self.rawRate) }
            encoder = try AudioEncoder(format: format, sampleRate: format == .pcm ? Self.rawRate : chunk.sampleRate)
        }
        return try encoder?.append(resampler?.append(chunk.samples) ?? chunk.samples) ?? []
    }

    /// The end of the file; a file without sound if there was none.
    func finish() throws -> [UInt8] {
        let last = try encoder ?? AudioEncoder(format: format, sampleRate: 16_000)
        let rest = resampler?.finish() ?? []
        return try (rest.isEmpty ? [] : last.append(rest)) + last.finish()
    }
}
