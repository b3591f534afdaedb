// The sound formats that are written.
import CFFmpeg

/// A format for writing sound. All are mono.
public enum AudioFormat: String, Sendable, CaseIterable, Codable {
    /// 16-bit PCM with a RIFF header.
    case wav
    /// Lossless, 16 bits.
    case flac
    case mp3
    /// Opus in Ogg.
    case opus
    /// 16-bit little-endian samples without any header.
    case pcm

    /// The format that a file name asks for, by its extension; nil if none of ours.
    public init?(path: String) {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: ".") else { return nil }
        switch name[name.index(after: dot)...].lowercased() {
        case "wav", "wave": self = .wav
        case "flac": self = .flac
        case "mp3": self = .mp3
        case "opus", "ogg": self = .opus
        case "pcm", "raw", "s16": self = .pcm
        default: return nil
        }
    }

    public var name: String { rawValue }
    public var fileExtension: String { rawValue }

    public var mimeType: String {
        switch self {
        case .wav: "audio/wav"
        case .flac: "audio/flac"
        case .mp3: "audio/mpeg"
        case .opus: "audio/ogg; codecs=opus"
        case .pcm: "audio/pcm"
        }
    }

    var code: cff_audio_format {
        switch self {
        case .wav: CFF_WAV
        case .flac: CFF_FLAC
        case .mp3: CFF_MP3
        case .opus: CFF_OPUS
        case .pcm: CFF_PCM
        }
    }

    /// Bits a second for speech, where the format has a choice.
    func bitRate(_ asked: Int?) -> Int {
        switch self {
        case .mp3: asked ?? 64_000
        case .opus: asked ?? 32_000
        case .wav, .flac, .pcm: 0
        }
    }
}
