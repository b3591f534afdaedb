// One reply on its way out: text to standard output, sound to a file, evidence and trace to theirs.
import Foundation
import Logging
import Lyra
import LyraMedia
import LyraModel

struct AskRun {
    let request: AskRequest
    let lyra: Lyra
    let loadSeconds: Double

    func run() async throws {
        let conversation = request.system.map { lyra.conversation(system: $0) } ?? lyra.conversation()
        let progress = StageProgress()
        var speech = request.speakPath.map(SpeechFile.init)
        var evidence: Evidence?
        var reply: Reply?
        for try await event in conversation.reply(to: request.parts, options: request.options) {
            switch event {
            case .progress(let stage, let fraction): progress.update(stage, fraction)
            case .text(let delta): if !request.printsJSON { try Terminal.shared.write(reply: delta) }
            case .audio(let chunk): try speech?.append(chunk)
            case .evidence(let found): evidence = found
            case .done(let finished): reply = finished
            }
        }
        Terminal.shared.clearProgress()
        try Task.checkCancellation()
        guard let reply else { throw CancellationError() }
        let spoken = try speech?.finish() ?? false
        if speech != nil, !spoken {
            Log.command.warning("the reply has no sound: the model said nothing but silence; no file was written")
        }
        if let path = request.evidencePath {
            if let evidence {
                try EvidenceFile.write(
                    evidence, to: path, parts: request.parts, question: request.question, maximumFrames: request.options.maximumFrames,
                    isCompatible: lyra.options.isCompatible)
            } else {
                Log.command.warning("nothing was dropped, so there is no evidence to write")
            }
        }
        if let path = request.tracePath { try request.options.trace?.write(to: path) }
        if request.printsJSON {
            var report = AskReport(reply, lyra: lyra, options: request.options, loadSeconds: loadSeconds)
            report.speechFile = spoken ? request.speakPath : nil
            report.evidenceFile = evidence == nil ? nil : request.evidencePath
            report.heard = evidence?.longRecording?.strongestStretch().map { .init(start: $0.lowerBound, end: $0.upperBound) }
            report.traceFile = request.tracePath
            try Terminal.shared.write(try report.json() + "\n")
        } else {
            if !reply.text.hasSuffix("\n") { try Terminal.shared.write("\n") }
            summarise(reply, heard: evidence?.longRecording?.strongestStretch())
        }
    }

    private func summarise(_ reply: Reply, heard: ClosedRange<Double>?) {
        let timings = reply.timings
        func seconds(_ value: Double?) -> String { value.map { String(format: "%.2f s", $0) } ?? "-" }
        Log.command.info(
            "done",
            metadata: [
                "prompt_tokens": "\(reply.usage.promptTokens)", "reply_tokens": "\(reply.usage.completionTokens)",
                "first_text": "\(seconds(timings.firstText))", "first_sound": "\(seconds(timings.firstAudio))",
                "tokens_per_second": "\(String(format: "%.1f", timings.tokensPerSecond))", "total": "\(seconds(timings.total))",
            ])
        if let heard {
            let (start, end) = (heard.lowerBound.rounded(.down), heard.upperBound)
            Log.command.notice("the answer was heard at \(ProgressLine.clock(start)) to \(ProgressLine.clock(end)) of the recording")
        }
        if reply.finishReason == .length {
            Log.command.notice("the reply was cut at --max-tokens \(request.options.maximumTokens)")
        }
    }
}

extension Evidence {
    /// A recording in which a few seconds are a place; a spoken question is none.
    fileprivate var longRecording: Medium? { media.first { $0.kind == .speech && ($0.pieces.last?.end ?? 0) > 15 && $0.pieces.contains { $0.answer != nil } } }
}

/// The spoken reply as a file, opened when the first sound comes.
struct SpeechFile {
    let path: String
    private var writer: AudioFileWriter?

    init(_ path: String) { self.path = path }

    mutating func append(_ chunk: AudioChunk) throws {
        if writer == nil {
            PartialFiles.shared.expect(path)
            writer = try AudioFileWriter(path: path, sampleRate: chunk.sampleRate)
        }
        try writer?.append(chunk.samples)
    }

    /// Completes the file; false when there was no sound.
    mutating func finish() throws -> Bool {
        try writer?.finish()
        return writer != nil
    }
}

/// Evidence in the format that a file's name asks for.
enum EvidenceFile {
    enum Format: String {
        case json, png, svg
        init?(path: String) { self.init(rawValue: (path as NSString).pathExtension.lowercased()) }
    }

    static func write(
        _ evidence: Evidence, to path: String, parts: [Part], question: String, maximumFrames: Int, isCompatible: Bool
    ) throws {
        switch Format(path: path) {
        case .json, nil: try OutputFile.write(try evidence.json() + Data("\n".utf8), to: path)
        case .png:
            PartialFiles.shared.expect(path)
            try picture(evidence, parts, question, maximumFrames, isCompatible).image().write(png: path)
        case .svg:
            try OutputFile.write(Data(try picture(evidence, parts, question, maximumFrames, isCompatible).svg().utf8), to: path)
        }
    }

    private static func picture(
        _ evidence: Evidence, _ parts: [Part], _ question: String, _ maximumFrames: Int, _ isCompatible: Bool
    ) throws -> EvidencePicture {
        EvidencePicture(
            evidence, of: try EvidencePicture.media(of: parts, maximumFrames: maximumFrames, isCompatible: isCompatible),
            question: question)
    }
}
