// lyra ask: one question, one answer.
import ArgumentParser
import Foundation
import Lyra
import LyraMedia
import LyraModel

struct AskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask",
        abstract: "Ask one question about pictures, video and sound, in writing or by voice.",
        discussion: """
            The answer streams to standard output as it is written, and with --speak to a sound file as well.
            In the prompt pictures come first, then the video, then speech, then the text.

            Examples:
              lyra ask --image menu.jpg --text "What is the cheapest dish?"
              lyra ask --image menu.jpg --speech question.mp3 --speak answer.wav
              lyra ask --video talk.mp4 --video-audio --text "What does she announce?"
              ffmpeg -i call.mkv -f wav - | lyra ask --speech - --text "Who calls?"
              lyra ask --speech lecture.m4a --text "When is the exam?" \\
                       --extract 4,0.7 --evidence kept.png
              lyra ask --text "Name a colour." --temperature 0.8 --seed 7 --json

            Any common sound, picture and video format is read; '-' is standard input. Recordings may have any length: \
            they are read window by window (30 s in the release).
            """)

    @OptionGroup(title: "Model") var model: ModelOptions

    @OptionGroup(title: "Question") var question: QuestionOptions

    @OptionGroup(title: "Reply") var reply: ReplyFlags

    @OptionGroup(title: "Output") var output: OutputOptions

    func run() async throws {
        Log.start(verbose: model.verbose)
        let request = try AskRequest(self)
        let (lyra, loadSeconds) = try await model.open()
        try await AskRun(request: request, lyra: lyra, loadSeconds: loadSeconds).run()
    }
}

struct QuestionOptions: ParsableArguments {
    @Option(name: [.short, .long], help: ArgumentHelp("A picture; may be given several times.", valueName: "file"))
    var image: [String] = []

    @Option(help: ArgumentHelp("A video.", valueName: "file"))
    var video: String?

    @Flag(help: "Listen to the video's own sound track.")
    var videoAudio = false

    @Option(name: [.short, .long], help: ArgumentHelp("Spoken words or a recording; may be given several times.", valueName: "file"))
    var speech: [String] = []

    @Option(name: [.short, .long], help: "What to ask; '-' reads it from standard input.")
    var text: String?

    @Option(help: ArgumentHelp("The system prompt. Default: You are a helpful assistant.", valueName: "text"))
    var system: String?

    /// In the order of the prompt.
    func media() throws -> [MediumArgument] {
        var media = image.map { MediumArgument(kind: .image, path: $0) }
        if let video {
            media.append(MediumArgument(kind: .video, path: video))
            if videoAudio { media.append(MediumArgument(kind: .videoSound, path: video)) }
        } else if videoAudio {
            throw UsageError("--video-audio needs a --video whose sound track it is")
        }
        media += speech.map { MediumArgument(kind: .speech, path: $0) }
        guard !media.isEmpty || text?.isEmpty == false else {
            throw UsageError("nothing to ask: give --text, --speech, --image or --video")
        }
        guard text != "-" || !media.contains(where: { $0.path == "-" }) else {
            throw UsageError("standard input ('-') can be only one of the inputs")
        }
        return media
    }

    func readText() -> String {
        guard text == "-" else { return text ?? "" }
        return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}

struct OutputOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Speak the answer into this file: .wav, .mp3, .opus or .flac. It is written while the answer is made, and appears when it is complete.",
            valueName: "file"))
    var speak: String?

    @Flag(help: "Print one JSON object (text, token_ids, finish_reason, usage, timings, ...) instead of the text.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Write which parts of the media were kept, with scores: .json for programs, .png or .svg for people. Needs --extract.",
            valueName: "file"))
    var evidence: String?

    @Option(help: ArgumentHelp("Write every stage of the request as named tensors: .safetensors.", valueName: "file"))
    var trace: String?

    func check(isExtracting: Bool, hasMedia: Bool) throws {
        if let speak {
            guard AudioFormat(path: speak) != nil else {
                throw UsageError("--speak: \(speak) does not say which format to write; end it in .wav, .mp3, .opus or .flac")
            }
            try OutputFile.check(speak)
        }
        if let evidence {
            guard EvidenceFile.Format(path: evidence) != nil else {
                throw UsageError("--evidence: \(evidence) does not say which format to write; end it in .json, .png or .svg")
            }
            guard isExtracting else {
                throw UsageError("--evidence shows what was dropped: it needs --extract (e.g. 4,0.7) or --compress-gap with --keep-rate")
            }
            guard hasMedia else { throw UsageError("--evidence is about media, and there are none in the question") }
            try OutputFile.check(evidence)
        }
        if let trace {
            guard trace.hasSuffix(".safetensors") else { throw UsageError("--trace: \(trace) has to end in .safetensors") }
            try OutputFile.check(trace)
        }
    }
}
