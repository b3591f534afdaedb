// What can go wrong with a media file, in words for the person who gave it.
import CFFmpeg
import Foundation

/// A failure of reading or writing sound, pictures or video. `source` is the path, "standard input" or "data".
public enum MediaError: Error, LocalizedError, Equatable, Sendable {
    case notFound(path: String)
    case notReadable(source: String, reason: String)
    case empty(source: String)
    /// The container opens, but has no stream of the wanted kind ("audio", "video", "picture").
    case noStream(kind: String, source: String)
    case unsupported(source: String, reason: String)
    /// Damaged or cut short so that nothing could be decoded. `position` is in seconds, where known.
    case corrupt(source: String, reason: String, position: Double? = nil)
    case tooLarge(source: String, reason: String)
    case cannotWrite(path: String, reason: String)
    case invalidArgument(String)

    public var errorDescription: String? {
        switch self {
        case .notFound(let path):
            "No file at '\(path)'. Check the path."
        case .notReadable(let source, let reason):
            "Cannot read \(source): \(reason)."
        case .empty(let source):
            "\(source) is empty (0 bytes). Give a file with content."
        case .noStream(let kind, let source):
            "\(source) holds no \(kind). Give a file that has \(kind == "audio" ? "a sound track" : "a \(kind)")."
        case .unsupported(let source, let reason):
            "Cannot use \(source): \(reason)."
        case .corrupt(let source, let reason, let position):
            "\(source) is damaged or cut short\(position.map { String(format: " at %.2f s", $0) } ?? ""): \(reason). "
                + "Copy or download it again, or convert it with another program."
        case .tooLarge(let source, let reason):
            "\(source) is too large: \(reason)."
        case .cannotWrite(let path, let reason):
            "Cannot write '\(path)': \(reason)."
        case .invalidArgument(let message):
            message
        }
    }
}

/// Runs a call of the C interface and turns its status into an error about `source`.
func checked<Result>(_ source: String, _ kind: String, _ body: (inout cff_status) -> Result) throws(MediaError) -> Result {
    FFmpeg.configured
    var status = cff_status()
    let result = body(&status)
    guard status.code != CFF_OK else { return result }
    let message = withUnsafePointer(to: &status) { String(cString: cff_status_message($0)) }
    throw error(status.code, message, source: source, kind: kind)
}

private func error(_ code: cff_code, _ message: String, source: String, kind: String) -> MediaError {
    switch code {
    case CFF_UNKNOWN_FORMAT:
        .unsupported(source: source, reason: "its content is no \(kind) format that FFmpeg knows")
    case CFF_BLOCKED:
        .unsupported(source: source, reason: "it is '\(message)', which is not read as \(kind); convert it first")
    case CFF_UNSUPPORTED: .unsupported(source: source, reason: message)
    case CFF_NO_STREAM: .noStream(kind: kind, source: source)
    case CFF_TOO_LARGE: .tooLarge(source: source, reason: message)
    case CFF_IO: .notReadable(source: source, reason: message)
    case CFF_MEMORY: .tooLarge(source: source, reason: message)
    default: .corrupt(source: source, reason: message)
    }
}

/// Settings of FFmpeg that hold for the whole process. It writes to standard error by itself; it is silent here unless
/// LYRA_FFMPEG_LOG is set. No file gets more than 1 GiB in one piece, whatever its header claims.
enum FFmpeg {
    static let configured: Void = cff_configure(ProcessInfo.processInfo.environment["LYRA_FFMPEG_LOG"] != nil, 1 << 30)
}
