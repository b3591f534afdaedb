// lyra data align: when each word of recordings is said.
import ArgumentParser
import Foundation
import LyraModel
import LyraTraining

struct AlignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "align",
        abstract: "Find when each word of recordings is said, from their transcripts.",
        discussion: """
            The most probable way through the letters of the transcript ("speech_asr"), by a speech encoder that spells (stage \
            speech_encoder). Each line of the result is a recording with "words": word, and start and end in seconds. Recordings \
            without a transcript, longer than a window of the encoder, or too short for what they are to say are left out; those \
            that have their words keep them. \
            The stage speech_words learns from such files.

            Examples:
              lyra data align speech.jsonl --encoder models/nano-towers --output speech.words.jsonl
            """)

    @Argument(help: "Data files with recordings.")
    var files: [String]

    @Option(help: ArgumentHelp("Output folder of a speech_encoder run.", valueName: "dir"))
    var encoder: String

    @Option(help: ArgumentHelp("Recordings taken, at most, spread over the files.", valueName: "n"))
    var limit: Int?

    @Option(name: [.short, .long], help: ArgumentHelp("The list of recordings with their words.", valueName: "file"))
    var output: String

    private struct Line: Encodable {
        var id, speech: String
        var transcript: String
        var voice: String?
        var words: [TimedWord]
        enum CodingKeys: String, CodingKey {
            case id, speech, voice, words
            case transcript = "speech_asr"
        }
    }

    func run() async throws {
        Log.start(verbose: false)
        let ears = try SpellingEncoder(tower: encoder + "/speech_encoder", head: encoder + "/spelling.safetensors")
        let recordings = try Recordings(files.map { DataSource($0) }), count = min(limit ?? recordings.count, recordings.count)
        let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path + "/"
        let json = JSONEncoder()
        json.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lines = Data(), written = 0
        let began = ContinuousClock.now
        // A line that is no recording shows before the work.
        let items = try (0..<count).map { try recordings.item($0 * recordings.count / count) }
        for (number, item) in items.enumerated() {
            try Task.checkCancellation()
            if number % 20 == 0 { DataPreparation.draw("align", number, count, since: began) }
            guard let transcript = item.transcript, let words = try item.words ?? ears.words(of: transcript, in: Recordings.samples(item))
            else { continue }
            // Relative to the list's folder where it is below that.
            let path = URL(fileURLWithPath: item.path).path
            let speech = path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : path
            lines += try json.encode(Line(id: item.id, speech: speech, transcript: transcript, voice: item.voice, words: words)) + Data("\n".utf8)
            written += 1
        }
        Terminal.shared.clearProgress()
        guard written > 0 else { throw MissingInput("no recording with a transcript that fits it in \(files.joined(separator: ", "))") }
        try lines.write(to: URL(fileURLWithPath: output), options: .atomic)
        Terminal.shared.say("\(written) recordings in \(output)" + (written < count ? "; left out: \(count - written)" : ""))
    }
}
