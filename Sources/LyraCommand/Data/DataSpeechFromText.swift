// lyra data speech-from-text: questions in writing become spoken ones.
import ArgumentParser
import Foundation
import LyraEvaluation

struct DataSpeechFromTextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "speech-from-text",
        abstract: "Have the questions of a data file spoken by a text-to-speech program.",
        discussion: """
            The last question of each sample is spoken, and the data are written anew with <speech> in its place and the text as \
            transcript. Options of multiple choices are read out; text that was read off a picture (Reference OCR) stays in \
            writing. What has been spoken stays, so that the command can be called again after it was stopped.

            Examples:
              lyra data speech-from-text train.json --output spoken
              lyra data speech-from-text train.json --output spoken --jobs 8 \\
                   --command "my-tts --voice {voice} --out {output}" --voices a,b,c
            """)

    @Argument(help: "A data file: a JSON list or JSON lines.")
    var file: String

    @OptionGroup(title: "Speech") var speech: SpeechCommandOptions

    @Option(name: [.short, .long], help: ArgumentHelp("Folder that gets data.jsonl and speech/.", valueName: "dir"))
    var output: String

    @Option(help: ArgumentHelp("How many texts are spoken at a time.", valueName: "n"))
    var jobs = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: ArgumentHelp("Ending of the sound files, which tells many programs what to write.", valueName: "ending"))
    var format = "wav"

    @Flag(help: "Also texts with letters that are not English.")
    var anyLanguage = false

    func run() async throws {
        Log.start(verbose: false)
        guard (1...1024).contains(jobs) else { throw UsageError("--jobs is \(jobs); give 1 to 1024") }
        guard FileManager.default.fileExists(atPath: file) else { throw MissingInput("no file at \(file)") }
        var settings = SpeechFromText.Settings()
        (settings.jobs, settings.format, settings.anyLanguage) = (jobs, format, anyLanguage)
        let began = ContinuousClock.now
        let result = try await SpeechFromText.run(file, try speech.make(), into: output, settings: settings) { done, total in
            DataPreparation.draw("speaking", done, total, since: began)
        }
        try DataPreparation.finish(result)
    }
}
