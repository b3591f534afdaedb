// lyra data needle: sentences to be found in long speech.
import ArgumentParser
import Foundation
import LyraEvaluation

struct DataNeedleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "needle",
        abstract: "Make spoken needles, and hide them in recordings.",
        discussion: """
            Writes needles.jsonl and a sound file for each needle; lyra eval needle hides them by itself. With --hide-in they are also \
            hidden here, for every length and depth, as samples in the format of training data (needle.jsonl). Facts are made \
            up, or come from a file with "text", "question" and "answers" a line.

            Examples:
              lyra data needle --output Lyra_needle_in_a_haystack/needles
              lyra data needle --output needles --facts facts.jsonl --count 20
              lyra data needle --output needles --hide-in lecture.mp3 \\
                   --lengths 300,1800 --depths 10,50,90
            """)

    @Option(name: [.short, .long], help: ArgumentHelp("Folder to write into.", valueName: "dir"))
    var output: String

    @OptionGroup(title: "Speech") var speech: SpeechCommandOptions

    @Option(help: ArgumentHelp("How many facts.", valueName: "n"))
    var count = 10

    @Option(help: ArgumentHelp("Seed of the made-up facts.", valueName: "n"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Facts of yours: {\"text\", \"question\", \"answers\"} a line.", valueName: "file"))
    var facts: String?

    @Option(help: ArgumentHelp("A recording to hide needles in; may be given several times.", valueName: "file"))
    var hideIn: [String] = []

    @Option(help: ArgumentHelp("Lengths of the recordings with needles, in seconds.", valueName: "list"))
    var lengths = "300,1800"

    @Option(help: ArgumentHelp("Depths of the needles, in percent.", valueName: "list"))
    var depths = "0,25,50,75,100"

    func run() async throws {
        Log.start(verbose: false)
        guard (1...10_000).contains(count) else { throw UsageError("--count is \(count); give 1 to 10000") }
        for path in hideIn + [facts].compactMap({ $0 }) where !FileManager.default.fileExists(atPath: path) {
            throw MissingInput("no file at \(path)")
        }
        let (lengths, depths) = (try Self.numbers("lengths", lengths, 1...86_400), try Self.numbers("depths", depths, 0...100))
        let wanted = try facts.map { Array(try NeedlePreparation.facts(from: $0).prefix(count)) } ?? NeedlePreparation.facts(count, seed: seed)
        let began = ContinuousClock.now
        var result = try await NeedlePreparation.write(wanted, try speech.make(), into: output) {
            DataPreparation.draw("speaking", $0, $1, since: began)
        }
        if !hideIn.isEmpty {
            result = try NeedlePreparation.hide(result.path, in: hideIn, lengths: lengths, depths: depths, into: output) {
                DataPreparation.draw("hiding", $0, $1, since: began)
            }
        }
        try DataPreparation.finish(result)
    }

    private static func numbers(_ name: String, _ text: String, _ range: ClosedRange<Double>) throws -> [Double] {
        let values = text.split(separator: ",").map { Double($0) }
        guard !values.isEmpty, values.allSatisfy({ $0.map(range.contains) ?? false }) else {
            throw UsageError("--\(name) is '\(text)'; give numbers from \(Int(range.lowerBound)) to \(Int(range.upperBound)) with commas between them")
        }
        return values.compactMap { $0 }
    }
}
