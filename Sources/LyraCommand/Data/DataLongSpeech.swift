// lyra data long-speech: questions and answers about long recordings, by a large language model.
import ArgumentParser
import Foundation
import LyraEvaluation

struct DataLongSpeechCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "long-speech",
        abstract: "Have questions about long recordings written from their transcripts.",
        discussion: """
            A recording's transcript has its name and the ending .txt, .srt, .vtt or .json (lyra transcribe writes all of them). \
            A large language model behind an OpenAI-compatible endpoint is given the transcript and writes questions with answers; \
            they become samples for the third stage of training. Replies are kept, and asked for only once. Without --endpoint \
            the requests are written as a file for a batch service, whose result --replies takes. The endpoint's key is read from \
            the environment variable LYRA_ENDPOINT_KEY.

            Examples:
              lyra data long-speech talks/*.mp3 --output long \\
                   --endpoint http://localhost:8000/v1 --endpoint-model writer
              lyra data long-speech talks/*.mp3 --output long
              lyra data long-speech talks/*.mp3 --output long --replies batch.jsonl
            """)

    @Argument(help: "Recordings.")
    var recordings: [String]

    @Option(help: ArgumentHelp("Where transcripts are, if not beside the recordings.", valueName: "dir"))
    var transcripts: String?

    @Option(name: [.short, .long], help: ArgumentHelp("Folder that gets data.jsonl, replies.jsonl or jobs.jsonl.", valueName: "dir"))
    var output: String

    @Option(help: ArgumentHelp("Address of the endpoint.", valueName: "url"))
    var endpoint: String?

    @Option(help: ArgumentHelp("The model that writes.", valueName: "name"))
    var endpointModel = "gpt-4o"

    @Option(help: ArgumentHelp("Result of a batch service, instead of an endpoint.", valueName: "file"))
    var replies: String?

    @Option(help: ArgumentHelp("Questions about each transcript.", valueName: "n"))
    var questions = 8

    @Option(help: ArgumentHelp("Longer transcripts are divided.", valueName: "n"))
    var words = 12_000

    func run() async throws {
        Log.start(verbose: false)
        guard (1...100).contains(questions) else { throw UsageError("--questions is \(questions); give 1 to 100") }
        guard words >= 100 else { throw UsageError("--words is \(words); give 100 or more") }
        guard endpoint == nil || replies == nil else { throw UsageError("--endpoint and --replies are two ways to the same; give one of them") }
        for path in recordings + [replies].compactMap({ $0 }) where !FileManager.default.fileExists(atPath: path) {
            throw MissingInput("no file at \(path)")
        }
        let (found, without) = try LongSpeechJobs.recordings(recordings, transcripts: transcripts)
        for path in without { Terminal.shared.say("left out: \(path) has no transcript; lyra transcribe can write one") }
        guard !found.isEmpty else { throw MissingInput("none of the recordings has a transcript") }
        let jobs = LongSpeechJobs(found, questions: questions, words: words)
        if let replies {
            return try DataPreparation.finish(try jobs.write(LongSpeechJobs.batchReplies(replies), to: "\(output)/data.jsonl"))
        }
        guard let endpoint else {
            return try DataPreparation.finish(try jobs.writeBatch(to: "\(output)/jobs.jsonl", model: endpointModel))
        }
        let key = ProcessInfo.processInfo.environment["LYRA_ENDPOINT_KEY"], began = ContinuousClock.now
        let made = try await jobs.replies(
            from: try ChatEndpoint(endpoint, model: endpointModel, key: key), cache: "\(output)/replies.jsonl"
        ) { done, total, failure in
            if let failure { Terminal.shared.say(failure) }
            DataPreparation.draw("asking", done, total, since: began)
        }
        try DataPreparation.finish(try jobs.write(made, to: "\(output)/data.jsonl"))
    }
}
