// Transcripts on their way out: text as it comes, or one of the formats of subtitles and programs.
import Foundation
import Logging
import Lyra

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
        let progress = TranscriptProgress()
        try await transcriber.transcribe(.file(file)) { event in
            progress.show(event)
            switch event {
            case .progress, .stage: return
            case .warning(let warning): Log.command.warning("\(file): \(warning)")
            case .text(let delta, let start):
                guard format == .text else { return }
                // White space before the first word is left out.
                let delta = isNewPiece ? delta.drop(while: \.isWhitespace) : delta[...]
                if isNewPiece, showsTimes, !delta.isEmpty { try out("[\(Caption.time(start, separator: "."))] ") }
                if !delta.isEmpty { isNewPiece = false }
                try out(String(delta))
            case .segment(let segment, let reply):
                segments.append(segment)
                switch format {
                case .text: if !isNewPiece { try out("\n") }
                case .json: break
                case .srt: try out(Caption.srt(segment, number: segments.count))
                case .vtt: try out(Caption.vtt(segment))
                }
                isNewPiece = true
                switch reply.finishReason {
                case .stop: break
                case .length: Log.command.warning("the text was cut at \(reply.usage.completionTokens) tokens; --max-tokens allows more")
                case .repetition: Log.command.warning("the text went round in circles and was ended")
                }
            }
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
