// lyra data vocode: units as sound, the way a model's own voice says them.
import ArgumentParser
import Foundation
import LyraMedia
import LyraModel
import LyraTraining

struct VocodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vocode",
        abstract: "Say units with a vocoder: recordings in a model's own voice.",
        discussion: """
            A speech encoder that is to understand what the model itself says has to have heard its voice. Each recording whose units are \
            known (lyra data units) is said anew: repeats count once, and the vocoder decides how long a unit lasts, as when a reply is \
            spoken. Writes recordings.jsonl into the output folder, with transcripts ("speech_asr") and the question for them, for the \
            stages that train on recordings or conversations.

            Examples:
              lyra data vocode answers.jsonl --units answers/units.txt --vocoder runs/vocoder/vocoder --output own
            """)

    @Argument(help: "Data files with recordings.")
    var files: [String]

    @Option(help: ArgumentHelp("Their units, as lyra data units writes them.", valueName: "file"))
    var units: String

    @Option(help: ArgumentHelp("Folder of the vocoder.", valueName: "dir"))
    var vocoder: String

    @Option(help: ArgumentHelp("Recordings at most, spread over the files.", valueName: "n"))
    var limit: Int?

    @Option(name: [.short, .long], help: ArgumentHelp("Where to write.", valueName: "dir"))
    var output: String

    private struct Line: Encodable {
        struct Turn: Encodable { var from, value: String }
        var id, speech, transcript: String
        var conversations: [Turn]
        enum CodingKeys: String, CodingKey {
            case id, speech, conversations
            case transcript = "speech_asr"
        }
    }

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is at least 1") }
    }

    func run() async throws {
        Log.start(verbose: false)
        let configuration = try VocoderConfiguration.load(vocoder + "/config.json"), parameters = Parameters(try WeightFiles.openVocoder(vocoder))
        let voice = Vocoder(parameters, configuration)
        try parameters.finish(isKnown: { _ in false })
        let known = try UnitFrames.load(units), recordings = try Recordings(files.map { DataSource($0) })
        let items = try (0..<recordings.count).map { try recordings.item($0) }.filter { known[$0.id] != nil && $0.transcript != nil }
        guard !items.isEmpty else { throw MissingInput("no recording with a transcript has units in \(units)") }
        let count = min(limit ?? items.count, items.count), json = JSONEncoder(), began = ContinuousClock.now
        json.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lines = Data()
        for number in 0..<count {
            try Task.checkCancellation()
            if number % 20 == 0 { DataPreparation.draw("vocode", number, count, since: began) }
            let item = items[number * items.count / count], (said, _) = UnitFrames.runs(known[item.id] ?? [])
            let name = String(format: "%04d/%06d.flac", number / 1000, number)
            if let wrong = said.first(where: { $0 >= configuration.units }) {
                throw MissingInput("\(item.id) has unit \(wrong), beyond the vocoder's \(configuration.units)")
            }
            try FileManager.default.createDirectory(atPath: "\(output)/\(name.prefix(4))", withIntermediateDirectories: true)
            try AudioFile.write(voice(said), sampleRate: configuration.sampleRate, to: "\(output)/\(name)")
            let transcript = item.transcript ?? ""
            let turns = [Line.Turn(from: "human", value: "<speech>\nTranscribe the recording."), .init(from: "gpt", value: transcript)]
            lines += try json.encode(Line(id: item.id, speech: name, transcript: transcript, conversations: turns)) + Data("\n".utf8)
        }
        Terminal.shared.clearProgress()
        try lines.write(to: URL(fileURLWithPath: output + "/recordings.jsonl"), options: .atomic)
        Terminal.shared.say("\(count) recordings")
        try Terminal.shared.write(output + "/recordings.jsonl\n")
    }
}
