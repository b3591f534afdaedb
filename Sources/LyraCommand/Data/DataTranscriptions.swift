// lyra data librispeech and lyra data commonvoice: read sentences as lists.
import ArgumentParser
import Foundation
import LyraEvaluation

extension Transcriptions.Purpose: ExpressibleByArgument {}

struct DataLibriSpeechCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "librispeech",
        abstract: "Make a list of LibriSpeech's recordings and transcripts.",
        discussion: """
            For evaluation: a recording and its text a line, as lyra eval librispeech and the release read it. For training: \
            samples with an instruction to write down what is said. Texts go through Whisper's English normaliser.

            Examples:
              lyra data librispeech LibriSpeech --splits test-clean \\
                   --output LibriSpeech/test-clean.jsonl
              lyra data librispeech LibriSpeech --purpose training \\
                   --splits train-clean-100,train-clean-360,train-other-500 \\
                   --output LibriSpeech/train.jsonl
            """)

    @Argument(help: "The unpacked folder.")
    var folder: String

    @Option(help: ArgumentHelp("Which parts, with commas between them.", valueName: "list"))
    var splits = "test-clean"

    @Option(help: "What the list is for: evaluation or training.")
    var purpose = Transcriptions.Purpose.evaluation

    @Option(name: [.short, .long], help: ArgumentHelp("The list. Paths in it are relative to its folder.", valueName: "file"))
    var output: String

    func run() async throws {
        Log.start(verbose: false)
        guard FileManager.default.fileExists(atPath: folder) else { throw MissingInput("no folder at \(folder)") }
        let splits = splits.split(separator: ",").map(String.init)
        guard !splits.isEmpty else { throw UsageError("--splits is empty; give test-clean or others") }
        try DataPreparation.finish(try Transcriptions.libriSpeech(folder, splits: splits, purpose: purpose, to: output))
    }
}

struct DataCommonVoiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commonvoice",
        abstract: "Make a list of Common Voice's clips and sentences.",
        discussion: """
            Reads a table (train.tsv, validated.tsv, ...) that lies beside the folder 'clips'. Clips that listeners refused are left \
            out, and so are long ones where clip_durations.tsv tells their lengths.

            Examples:
              lyra data commonvoice cv-corpus/en/train.tsv --output cv/train.jsonl
              lyra data commonvoice cv-corpus/en/test.tsv --purpose evaluation \\
                   --output cv/test.jsonl
            """)

    @Argument(help: "The table.")
    var table: String

    @Option(help: ArgumentHelp("Longest clip.", valueName: "seconds"))
    var longest = 30.0

    @Option(help: "What the list is for: evaluation or training.")
    var purpose = Transcriptions.Purpose.training

    @Option(name: [.short, .long], help: ArgumentHelp("The list. Paths in it are relative to its folder.", valueName: "file"))
    var output: String

    func run() async throws {
        Log.start(verbose: false)
        guard longest > 0 else { throw UsageError("--longest is \(longest); give more than 0 seconds") }
        guard FileManager.default.fileExists(atPath: table) else { throw MissingInput("no file at \(table)") }
        try DataPreparation.finish(try Transcriptions.commonVoice(table, longest: longest, purpose: purpose, to: output))
    }
}

/// What the commands that prepare data have in common.
enum DataPreparation {
    /// Says what was made and what was left out; the last line on standard output is JSON.
    static func finish(_ result: PreparationResult) throws {
        Terminal.shared.clearProgress()
        for problem in result.problems { Terminal.shared.say("left out: \(problem)") }
        let left = result.leftOut.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        Terminal.shared.say("\(result.items) items in \(result.path)" + (left.isEmpty ? "" : "; left out: \(left)"))
        try Terminal.shared.write(try JSONText.encode(result) + "\n")
    }

    static func draw(_ label: String, _ done: Int, _ total: Int, since began: ContinuousClock.Instant) {
        let elapsed = (ContinuousClock.now - began) / .seconds(1)
        Terminal.shared.draw(
            ProgressLine(label: label, fraction: Double(done) / Double(max(1, total)), count: "\(done)/\(total)", elapsed: elapsed)
                .text(columns: Terminal.columns))
    }
}

/// A text-to-speech program.
struct SpeechCommandOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A shell command that speaks the text on its standard input (also {text}) into {output}, with {voice}.", valueName: "command"))
    var command = "espeak-ng --stdin -v {voice} -w {output}"

    @Option(help: ArgumentHelp("Voices, with commas between them; one is chosen for each text.", valueName: "list"))
    var voices = "en-us,en-us+f2,en-us+m3,en-gb,en-gb+f3,en-gb-scotland,en-gb-x-rp+m5,en-029"

    func make() throws -> SpeechCommand {
        do {
            return try SpeechCommand(command, voices: voices.split(separator: ",").map(String.init))
        } catch { throw UsageError(error.localizedDescription) }
    }
}
