// Transcripts on their way out: text as it comes, or one of the formats of subtitles and programs.
import Foundation

struct TranscriptSink {
    let format: TranscribeCommand.Format
    let showsTimes: Bool
    /// nil: standard output.
    let target: String?
    /// Printed before a file's text when there are several.
    let title: String?

    private struct FileReport: Encodable {
        var file: String
        var duration: Double
        var text: String
        var segments: [TranscriptSegment]
    }

    func write(file: String, _ transcriber: Transcriber) async throws {
        var segments: [TranscriptSegment] = [], written = ""
        func out(_ text: String) throws {
            if target == nil { try Terminal.shared.write(reply: text) } else { written += text }
        }
        if format == .text, let title, target == nil { try out("== \(title)\n") }
        if format == .vtt { try out("WEBVTT\n\n") }
        var isNewPiece = true
        try await transcriber.transcribe(file) { delta, start in
            guard format == .text else { return }
            // White space before the first word is left out.
            let delta = isNewPiece ? delta.drop(while: \.isWhitespace) : delta[...]
            if isNewPiece, showsTimes, !delta.isEmpty { try out("[\(Caption.time(start, separator: "."))] ") }
            if !delta.isEmpty { isNewPiece = false }
            try out(String(delta))
        } segment: { segment in
            segments.append(segment)
            switch format {
            case .text: if !isNewPiece { try out("\n") }
            case .json: break
            case .srt: try out(Caption.srt(segment, number: segments.count))
            case .vtt: try out(Caption.vtt(segment))
            }
            isNewPiece = true
        }
        if format == .json {
            let report = FileReport(
                file: file, duration: segments.last?.end ?? 0,
                text: segments.map(\.text).filter { !$0.isEmpty }.joined(separator: " "), segments: segments)
            try out(try JSONText.encode(report) + "\n")
        }
        if let target {
            try OutputFile.write(Data(written.utf8), to: target)
            Terminal.shared.say(target)
        }
    }
}

/// Subtitles of one stretch.
enum Caption {
    /// "01:02:03,456"
    static func time(_ seconds: Double, separator: String) -> String {
        let milliseconds = Int((max(0, seconds) * 1000).rounded()), total = milliseconds / 1000
        return String(format: "%02d:%02d:%02d\(separator)%03d", total / 3600, total / 60 % 60, total % 60, milliseconds % 1000)
    }

    static func srt(_ segment: TranscriptSegment, number: Int) -> String {
        "\(number)\n\(time(segment.start, separator: ",")) --> \(time(segment.end, separator: ","))\n\(lines(segment.text))\n\n"
    }

    static func vtt(_ segment: TranscriptSegment) -> String {
        let escaped = segment.text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;")
        return "\(time(segment.start, separator: ".")) --> \(time(segment.end, separator: "."))\n\(lines(escaped))\n\n"
    }

    /// An empty line would end the caption.
    private static func lines(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { String($0).trimmed }.filter { !$0.isEmpty }.joined(separator: "\n")
    }
}
