// lyra data synth: the small world, generated.
import ArgumentParser
import Foundation
import LyraMedia
import LyraSynthesis

/// A split, or all of them.
enum SplitChoice: String, ExpressibleByArgument, CaseIterable {
    case train, validation, test, all

    var splits: [Split] {
        switch self {
        case .train: [.train]
        case .validation: [.validation]
        case .test: [.test]
        case .all: Split.allCases
        }
    }
}

enum SynthesisAudio: String, ExpressibleByArgument, CaseIterable {
    case flac, opus
}

struct DataSynthesisCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synth",
        abstract: "Generate a small world to learn from: pictures, speech, questions and answers.",
        discussion: """
            Draws pictures, lets many synthetic voices speak, and writes data files for lyra train, with test sets that share no \
            picture, wording or voice with them. The same seed gives the same questions, answers and pictures, however many \
            jobs there are. A run that was ended goes on where it was; larger counts add to what is there. What the world \
            holds is described in docs/synthetic-data.md.

            Speech needs Debian packages: espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts.

            Examples:
              lyra data synth world
              lyra data synth world --split train --pictures 50000 --spoken 50000 --transcription 0
              lyra data synth world --split test --held-out 500
              lyra data synth world --split test --only needle_5 needle_30
            """)

    @Argument(help: "Folder for the data; made if it is not there.")
    var folder: String

    @Option(help: "Which part: train, validation, test or all.")
    var split = SplitChoice.all

    @Option(help: "Everything follows from it.")
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Pictures with written questions. Default: 20000.", valueName: "n"))
    var pictures: Int?

    @Option(help: ArgumentHelp("Pages full of words, to learn reading from. Default: 10000.", valueName: "n"))
    var pages: Int?

    @Option(help: ArgumentHelp("What pictures would show, in writing, with questions. Default: 20000.", valueName: "n"))
    var scenes: Int?

    @Option(help: ArgumentHelp("Words to be said again and looked up. Default: 20000.", valueName: "n"))
    var recall: Int?

    @Option(help: ArgumentHelp("Pictures with a spoken question. Default: 20000.", valueName: "n"))
    var spoken: Int?

    @Option(help: ArgumentHelp("Sentences to be transcribed. Default: 20000.", valueName: "n"))
    var transcription: Int?

    @Option(help: ArgumentHelp("Sums, small facts and commands, most of them spoken. Default: 10000.", valueName: "n"))
    var knowledge: Int?

    @Option(help: ArgumentHelp("Pictures talked about over several turns. Default: 5000.", valueName: "n"))
    var dialogue: Int?

    @Option(help: ArgumentHelp("Short videos with questions. Default: 5000.", valueName: "n"))
    var video: Int?

    @Option(help: ArgumentHelp("A few spoken sentences with questions. Default: 5000.", valueName: "n"))
    var passages: Int?

    @Option(help: ArgumentHelp("News and diaries of minutes, with fifteen questions or more each. Default: 200.", valueName: "n"))
    var long: Int?

    @Option(help: ArgumentHelp("Answers that are there as speech too. Default: 10000.", valueName: "n"))
    var answers: Int?

    @Option(help: ArgumentHelp("Sentences by the voice that answers. Default: 5000.", valueName: "n"))
    var voice: Int?

    @Option(help: ArgumentHelp("Digits by people; needs --real-speech. Default: 5000.", valueName: "n"))
    var digits: Int?

    @Option(
        parsing: .upToNextOption, help: ArgumentHelp("Only these data files, such as pictures or needle_30.", valueName: "name"))
    var only: [String] = []

    @Option(help: ArgumentHelp("Items of each file of validation and test. Default: 200.", valueName: "n"))
    var heldOut: Int?

    @Option(help: ArgumentHelp("Questions about each picture, page, scene and video of training; about a passage up to six times as many.", valueName: "n"))
    var questions = 4

    @Option(help: ArgumentHelp("Longest recordings of training; the shortest take a minute.", valueName: "minutes"))
    var longest = 10.0

    @Option(
        help: ArgumentHelp("Multiplies all numbers of items that are not given; above 1, those of training alone.", valueName: "factor"))
    var scale = 1.0

    @Option(
        help: ArgumentHelp(
            "Folder with free-spoken-digits.tar.gz, or its files: digits by people, one of whom is kept for testing.", valueName: "dir"))
    var realSpeech: String?

    @Flag(
        help: "Voices of seven more people for training, of Debian's contrib and non-free: festvox-don festvox-rablpc16k libttspico-utils rhvoice rhvoice-english.")
    var moreVoices = false

    @Flag(help: "What would be spoken stands in the text: the same world for a language model that does not hear yet. Needs no synthesisers.")
    var written = false

    @Option(help: "Format of the speech: flac (lossless) or opus (a fifth of the size).")
    var audio = SynthesisAudio.flac

    @Option(help: ArgumentHelp("How many shards are made in parallel. Default: one for each core.", valueName: "n"))
    var jobs: Int?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    private var counts: [(name: String, count: Int?)] {
        [
            ("pictures", pictures),
            ("pages", pages),
            ("scenes", scenes),
            ("recall", recall),
            ("spoken", spoken),
            ("transcription", transcription),
            ("knowledge", knowledge),
            ("dialogue", dialogue),
            ("video", video),
            ("passages", passages),
            ("long", long),
            ("answers", answers),
            ("voice", voice),
            ("digits", digits),
        ]
    }

    func validate() throws {
        for (name, count) in counts + [("held-out", heldOut)] {
            if let count, !(0...10_000_000).contains(count) { throw ValidationError("--\(name) must be 0 to 10000000") }
        }
        if !(1...600).contains(longest) { throw ValidationError("--longest must be 1 to 600 minutes") }
        if !(0...1000).contains(scale) { throw ValidationError("--scale must be 0 to 1000") }
        if !(1...20).contains(questions) { throw ValidationError("--questions must be 1 to 20") }
        if let jobs, !(1...256).contains(jobs) { throw ValidationError("--jobs must be 1 to 256") }
    }

    func run() async throws {
        var plan = SynthesisPlan(folder: folder, splits: split.splits)
        plan.seed = seed
        plan.jobs = jobs ?? ProcessInfo.processInfo.activeProcessorCount
        plan.audio = audio == .opus ? .opus : .flac
        plan.heldOut = heldOut ?? Int((200 * min(1, scale)).rounded(.up))
        plan.questions = questions
        plan.longestMinutes = longest
        plan.only = only.isEmpty ? nil : Set(only)
        plan.realSpeech = realSpeech
        plan.hasMoreVoices = moreVoices
        plan.isWritten = written
        for file in SynthesisPlan.files { plan.counts[file.name] = Int((Double(file.count) * scale).rounded(.up)) }
        for (name, count) in counts { if let count { plan.counts[name] = count } }
        if let realSpeech, !FileManager.default.fileExists(atPath: realSpeech) { throw MissingInput("no folder at \(realSpeech)") }
        let began = ContinuousClock.now
        let summary = try await DataSet.write(plan) { progress in
            let elapsed = (ContinuousClock.now - began) / .seconds(1)
            let rate = Double(progress.done - progress.kept) / max(elapsed, 0.001)
            let left = Double(progress.total - progress.done) / max(rate, 1e-9)
            Terminal.shared.draw(
                ProgressLine(
                    label: progress.file, fraction: Double(progress.done) / Double(max(1, progress.total)),
                    count: "\(progress.done)/\(progress.total) items",
                    rate: String(format: "%.0f/s", rate) + (elapsed > 3 ? ", \(ProgressLine.clock(left)) left" : ""), elapsed: 0
                ).text(columns: Terminal.columns))
        }
        Terminal.shared.clearProgress()
        try Terminal.shared.write(json ? JSONText.encode(Report(summary)) + "\n" : Self.text(summary))
    }

    private struct Report: Encodable {
        var items, kept, pictures, videos, utterances, recordings, bytes: Int
        var seconds, soundSeconds: Double
        var files: [String: Int]

        init(_ summary: DataSet.Summary) {
            (items, kept, pictures, videos) = (summary.items, summary.kept, summary.pictures, summary.videos)
            (utterances, recordings) = (summary.utterances, summary.recordings)
            (bytes, seconds, soundSeconds) = (summary.bytes, summary.seconds, summary.soundSeconds)
            files = Dictionary(uniqueKeysWithValues: summary.files.map { ($0.path, $0.count) })
        }
    }

    private static func text(_ summary: DataSet.Summary) -> String {
        let rows = summary.files.map { [$0.path, "\($0.count)"] }
        let made = "\(summary.items) items made, \(summary.kept) kept: \(summary.pictures) pictures, \(summary.videos) videos, "
            + "\(summary.utterances) utterances (\(ProgressLine.clock(summary.soundSeconds)) of sound), \(summary.bytes / 1_000_000) MB of media "
            + "in \(ProgressLine.clock(summary.seconds))"
        return (Columns.lines([["file", "items"]] + rows, right: [1]) + [made]).joined(separator: "\n") + "\n"
    }
}
