// lyra compare: what a precision or a quantised copy costs in exactness.
import ArgumentParser
import Foundation
import Lyra
import LyraMedia
import LyraModel

struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Measure what a precision or a quantised copy costs in exactness.",
        discussion: """
            Runs the same media and questions through two checkpoints, or through one in two precisions, and prints how far \
            every stage of the second is from the first: the length of the difference as a share of the length of the values. \
            Questions are answered by the first, greedily; the second reads the same answers, and greedy agreement is the share \
            of tokens at which it would have chosen the same one. The divergence says how far its probabilities are off \
            (Kullback-Leibler, nats a token).

            Weights that were never trained make that look bad: their best tokens lie close together.

            Examples:
              lyra compare Lyra_Mini_3B --precision int8
              lyra compare Lyra_Mini_3B Lyra_Mini_3B_4bit
              lyra compare Lyra_Mini_3B Lyra_Mini_3B_8bit --speech question.mp3 --image menu.jpg --text "What does the soup cost?"
            """)

    @Argument(help: "The checkpoint that is compared with.")
    var reference: String

    @Argument(help: "The checkpoint that is measured. Default: the same.")
    var measured: String?

    @Option(help: "Precision of the one that is compared with.")
    var against = Precision.f32

    @Option(help: "Precision of the one that is measured. Default: bf16 where the processor has instructions for it.")
    var precision: Precision?

    @Option(help: ArgumentHelp("A recording to encode. Default: a synthetic sound.", valueName: "file"))
    var speech: String?

    @Option(help: ArgumentHelp("A picture to encode. Default: a synthetic picture.", valueName: "file"))
    var image: String?

    @Option(help: ArgumentHelp("A question to answer; can be given several times. Default: a few of ours.", valueName: "text"))
    var text: [String] = []

    @Option(help: ArgumentHelp("Most tokens of each answer.", valueName: "n"))
    var tokens = 64

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    func run() async throws {
        Log.start(verbose: false)
        guard (1...100_000).contains(tokens) else { throw UsageError("--tokens is \(tokens); give 1 or more") }
        let inputs = try CompareInputs(speech: speech, image: image, questions: text, tokens: tokens)
        let first = try await probe(reference, against, inputs, answers: nil)
        let second = try await probe(measured ?? reference, precision, inputs, answers: first.answers)
        let report = CompareReport(
            reference: "\(reference), \(first.precision.rawValue)", measured: "\(measured ?? reference), \(second.precision.rawValue)",
            first, second)
        try Terminal.shared.write(json ? try JSONText.encode(report) + "\n" : report.text)
    }

    /// One model is open at a time.
    private func probe(
        _ path: String, _ precision: Precision?, _ inputs: CompareInputs, answers: [[Int32]]?
    ) async throws -> CompareProbe {
        var options = LyraOptions()
        options.precision = precision
        let lyra = try await withSpinner("loading \(path)") { [options] in try await Lyra.open(path, options: options) }
        try Task.checkCancellation()
        return try await withSpinner("measuring \(path) in \(lyra.precision.rawValue)") {
            try await lyra.withNetworks { try CompareProbe($0, inputs, answers: answers) }
        }
    }
}

/// What goes through both models.
struct CompareInputs: Sendable {
    /// At most one window.
    var sound: [Float]
    var picture: MediaSource?
    var questions: [String]
    var tokens: Int

    private static let questions = [
        "What is the capital of France, and what is it known for?", "Count from one to twenty.",
        "Write a short story about a fox that learns to swim.", "Explain to a child why the sky is blue.",
    ]

    init(speech: String?, image: String?, questions: [String], tokens: Int) throws {
        if let speech {
            sound = Array(try AudioReader(.file(speech)).read(maximumCount: 30 * 16_000))
        } else {
            // A voice-like sound: harmonics of a gliding tone that comes and goes.
            sound = (0..<(10 * 16_000)).map { i in
                let t = Float(i) / 16_000, envelope = max(0, sin(t * 9))
                return envelope * (1...6).reduce(Float(0)) { $0 + sin(t * 2 * .pi * Float($1) * (120 + 30 * sin(t))) / Float($1) } * 0.15
            }
        }
        picture = image.map { .file($0) }
        self.questions = questions.isEmpty ? Self.questions : questions
        self.tokens = tokens
    }
}
