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
              ffmpeg -i call.mkv -f wav - | lyra ask --speech - --text "Who is calling, and why?"
              lyra ask --speech lecture.m4a --text "When is the exam?" --extract 4,0.7 --evidence kept.png
              lyra ask --text "Name a colour." --temperature 0.8 --top-p 0.9 --seed 7 --json

            Any common sound, picture and video format is read; '-' is standard input. Recordings may have any length: \
            they are read in windows of 30 s.
            """)

    @OptionGroup(title: "Model") var model: ModelOptions

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

    @Option(help: ArgumentHelp("The system prompt.", discussion: "Otherwise the release's: \"You are a helpful assistant.\"", valueName: "text"))
    var system: String?

    @OptionGroup(title: "Reply") var reply: ReplyFlags

    @Option(
        help: ArgumentHelp(
            "Speak the answer into this file: .wav, .mp3, .opus or .flac.",
            discussion: "It is written while the answer is made, and appears when it is complete.", valueName: "file"))
    var speak: String?

    @Flag(help: "Print one JSON object (text, token_ids, finish_reason, usage, timings, ...) instead of the text.")
    var json = false

    @Option(help: ArgumentHelp("Write every stage of the request as named tensors.", valueName: "file.safetensors"))
    var trace: String?

    @Option(
        help: ArgumentHelp(
            "Write which parts of the media were kept, with scores: .json, .png or .svg.",
            discussion: "Needs --extract or --compress-gap.", valueName: "file"))
    var evidence: String?

    func run() async throws {
        Log.start(verbose: model.verbose)
        let request = try AskRequest(self)
        let (lyra, loadSeconds) = try await model.open()
        try await AskRun(request: request, lyra: lyra, loadSeconds: loadSeconds).run()
    }
}

/// What is asked, checked as far as it can be without the model.
struct AskRequest {
    let parts: [Part]
    let question: String
    let system: String?
    let options: ReplyOptions
    let speakPath, tracePath, evidencePath: String?
    let printsJSON: Bool

    init(_ command: AskCommand) throws {
        try command.reply.check()
        var media = command.image.map { MediumArgument(kind: .image, path: $0) }
        if let video = command.video {
            media.append(MediumArgument(kind: .video, path: video))
            if command.videoAudio { media.append(MediumArgument(kind: .videoSound, path: video)) }
        } else if command.videoAudio {
            throw UsageError("--video-audio needs a --video whose sound track it is")
        }
        media += command.speech.map { MediumArgument(kind: .speech, path: $0) }
        guard !media.isEmpty || command.text?.isEmpty == false else {
            throw UsageError("nothing to ask: give --text, --speech, --image or --video")
        }
        guard command.text != "-" || !media.contains(where: { $0.path == "-" }) else {
            throw UsageError("standard input ('-') can be only one of the inputs")
        }
        try Self.checkOutputs(command)

        var needs: ModelOptions.Needs = []
        if media.contains(where: { $0.kind == .image || $0.kind == .video }) { needs.insert(.sight) }
        if media.contains(where: { $0.kind == .speech || $0.kind == .videoSound }) { needs.insert(.hearing) }
        if command.speak != nil { needs.insert(.speech) }
        let (location, configuration) = try command.model.resolve(needs: needs)
        let adapter: Adapter? = switch command.reply.adapter {
        case .automatic, .off: nil
        case .speech: .speech
        case .longSpeech: .longSpeech
        }
        if let adapter, location.adapters[adapter] == nil {
            throw UsageError("--adapter \(adapter.rawValue): the checkpoint has no such adapter (\(location.model))")
        }
        var options = try command.reply.options(layers: configuration.layers)
        options.speaks = command.speak != nil
        if command.trace != nil { options.trace = Trace() }

        let drawsEvidence = command.evidence.map { !$0.hasSuffix(".json") } ?? false
        let arguments = MediaArguments(media: media, isReadTwice: drawsEvidence)
        try arguments.check()
        let text =
            command.text == "-"
            ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
                .trimmingCharacters(in: .newlines) : command.text
        parts = try arguments.parts() + (text.map { $0.isEmpty ? [] : [.text($0)] } ?? [])
        question = text ?? ""
        system = command.system
        self.options = options
        (speakPath, tracePath, evidencePath) = (command.speak, command.trace, command.evidence)
        printsJSON = command.json
    }

    private static func checkOutputs(_ command: AskCommand) throws {
        if let path = command.speak {
            guard AudioFormat(path: path) != nil else {
                throw UsageError("--speak: \(path) does not say which format to write; end it in .wav, .mp3, .opus or .flac")
            }
            try OutputFile.check(path)
        }
        if let path = command.evidence {
            guard EvidenceFile.Format(path: path) != nil else {
                throw UsageError("--evidence: \(path) does not say which format to write; end it in .json, .png or .svg")
            }
            guard command.reply.extracts else {
                throw UsageError("--evidence shows what was dropped: it needs --extract (e.g. 4,0.7) or --compress-gap with --keep-rate")
            }
            guard !command.image.isEmpty || command.video != nil || !command.speech.isEmpty else {
                throw UsageError("--evidence is about media, and there are none in the question")
            }
            try OutputFile.check(path)
        }
        if let path = command.trace {
            guard path.hasSuffix(".safetensors") else { throw UsageError("--trace: \(path) has to end in .safetensors") }
            try OutputFile.check(path)
        }
    }
}
