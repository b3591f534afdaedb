// lyra data match-units: conversations whose answers are there as recordings become lessons in speaking.
import ArgumentParser
import Foundation
import LyraModel
import LyraTraining

struct MatchUnitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "match-units",
        abstract: "Give conversations the units of recordings that say their answers.",
        discussion: """
            The speech generator learns from what the language model thinks while it answers, and that depends on what was asked and shown. \
            A recording of "It is red." serves every question with that answer, so that few recordings teach many situations. Writes the \
            samples whose last answer is said, word for word, in a recording whose units are known (lyra data units).

            Examples:
              lyra data match-units pictures.jsonl knowledge.jsonl --independent-turns --limit 20000 \\
                   --recordings answer_speech.jsonl --units answers/units.txt --output matched.jsonl
            """)

    @Argument(help: "Data files with conversations, JSON lists or JSON lines.")
    var files: [String]

    @Option(help: ArgumentHelp("Recordings with transcripts (\"speech_asr\").", valueName: "file"))
    var recordings: [String]

    @Option(help: ArgumentHelp("Their units; one file for each of --recordings.", valueName: "file"))
    var units: [String]

    @Flag(help: "Take one question of each item, drawn from those with a known answer, instead of the conversation with its last answer.")
    var independentTurns = false

    @Option(help: ArgumentHelp("Samples of each file, at most.", valueName: "n"))
    var limit: Int?

    @Option(help: ArgumentHelp("Decides which samples, questions and recordings.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(name: [.short, .long], help: ArgumentHelp("The samples, with \"units\".", valueName: "file"))
    var output: String

    func validate() throws {
        guard recordings.count == units.count else { throw ValidationError("--units is to be given as often as --recordings") }
        if let limit, limit < 1 { throw ValidationError("--limit is at least 1") }
    }

    func run() async throws {
        Log.start(verbose: false)
        var known = AnswerUnits()
        for (recordings, units) in zip(recordings, units) { try known.add(Recordings([DataSource(recordings)]), units: UnitFrames.load(units)) }
        let home = URL(fileURLWithPath: output).deletingLastPathComponent().path + "/"
        var lines = Data(), counts: [String] = []
        for file in files {
            let data = try DataFile(file), folder = URL(fileURLWithPath: file).deletingLastPathComponent(), wanted = min(limit ?? data.count, data.count)
            func path(_ medium: String) -> String {
                let whole = medium.hasPrefix("/") ? medium : folder.appendingPathComponent(medium).path
                return whole.hasPrefix(home) ? String(whole.dropFirst(home.count)) : whole
            }
            var found = 0
            var random = SplitMix64(state: seed)
            for index in (0..<data.count).shuffled(using: &random) where found < wanted {
                try Task.checkCancellation()
                guard let item = try? JSONSerialization.jsonObject(with: Data(data.bytes(index))) as? [String: Any] else {
                    throw MissingInput("\(file): item \(index) is no JSON object")
                }
                guard let match = known.match(item, single: independentTurns, seed: seed, path: path) else { continue }
                lines += try JSONSerialization.data(withJSONObject: match, options: [.sortedKeys, .withoutEscapingSlashes]) + Data("\n".utf8)
                found += 1
            }
            counts.append("\(file): \(found) of \(data.count)")
        }
        guard !lines.isEmpty else { throw MissingInput("no recording says an answer of \(files.joined(separator: ", "))") }
        try lines.write(to: URL(fileURLWithPath: output), options: .atomic)
        for count in counts { Terminal.shared.say(count) }
        try Terminal.shared.write(output + "\n")
    }
}
