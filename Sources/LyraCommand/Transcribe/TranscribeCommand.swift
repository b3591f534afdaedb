// lyra transcribe: recordings to text.
import ArgumentParser
import Foundation
import Lyra
import LyraMedia
import LyraModel

struct TranscribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transcribe",
        abstract: "Write down what is said in recordings, of any length.",
        discussion: """
            A recording is cut into windows no longer than the speech encoder's (30 s in the release), at the quietest place \
            near their ends, and each is transcribed by itself with the release's instruction; text appears as it is made, \
            and memory does not grow with the length. \
            With --whole the model hears everything at once instead, through its long-speech adapter.

            Examples:
              lyra transcribe interview.mp3
              lyra transcribe --timestamps lecture.m4a
              lyra transcribe talk.mp4 --format srt --output subtitles/
              lyra transcribe *.flac --format json | jq -r .text
              arecord -f S16_LE -r 16000 -t wav | lyra transcribe -
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, srt, vtt }

    @OptionGroup(title: "Model") var model: ModelOptions

    @Argument(help: "Sound or video files; '-' is standard input.")
    var files: [String]

    @Option(help: "text, json (one object a file and line), srt or vtt (subtitles).")
    var format = Format.text

    @Flag(help: "Put the time before each piece of text.")
    var timestamps = false

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Write NAME.txt, .json, .srt or .vtt for each file into this folder, instead of printing.", valueName: "dir"))
    var output: String?

    @Option(help: ArgumentHelp("Longest window, 1 or more. Default: the speech encoder's.", valueName: "seconds"))
    var window: Double?

    @Option(help: ArgumentHelp("Most tokens of one window's text, or of the whole with --whole.", valueName: "n"))
    var maxTokens: Int?

    @Flag(help: "Transcribe each recording in one request instead of window by window.")
    var whole = false

    func run() async throws {
        Log.start(verbose: model.verbose)
        if let window, !(window >= 1) { throw UsageError("--window is \(window); give 1 second or more") }
        if let maxTokens, maxTokens < 1 { throw UsageError("--max-tokens is \(maxTokens); give 1 or more") }
        guard files.count(where: { $0 == "-" }) <= 1 else { throw UsageError("standard input ('-') can be read only once") }
        if output == nil, files.count > 1, format == .srt || format == .vtt {
            throw UsageError("subtitles of several files do not fit into one output: give --output DIR")
        }
        for file in files { try MediumArgument(kind: .speech, path: file).check() }
        let targets = try targets()
        let longest = try model.resolve(needs: .hearing).location.speech.map { try WhisperConfiguration.load($0 + "/config.json") }?.windowSeconds ?? 30
        if let window, window > longest { throw UsageError("--window is \(window); the speech encoder hears \(longest) seconds at a time") }
        let (lyra, _) = try await model.open()
        var transcriber = Transcriber(lyra: lyra)
        (transcriber.isWhole, transcriber.windowSeconds, transcriber.maximumTokens) = (whole, window ?? longest, maxTokens)
        for (file, target) in zip(files, targets) {
            let sink = TranscriptSink(
                format: format, showsTimes: timestamps, target: target, title: files.count > 1 ? file : nil)
            try await sink.write(file: file, transcriber)
        }
    }

    /// Where each file's text goes; nil for standard output.
    private func targets() throws -> [String?] {
        guard let output else { return files.map { _ in nil } }
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let kind = format == .text ? "txt" : format.rawValue
        let paths = files.map { file in
            let name = file == "-" ? "standard-input" : ((file as NSString).lastPathComponent as NSString).deletingPathExtension
            return "\(output)/\(name).\(kind)"
        }
        guard Set(paths).count == paths.count else {
            throw UsageError("two of the files have the same name, and so would their transcripts; transcribe them one by one")
        }
        for path in paths { try OutputFile.check(path) }
        return paths
    }
}
