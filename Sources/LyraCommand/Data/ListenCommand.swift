// lyra data listen: how much of recordings a trained speech encoder understands by itself.
import ArgumentParser
import Foundation
import Lyra
import LyraMedia
import LyraModel
import LyraTraining

struct ListenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Spell recordings with a speech encoder alone, and count mistakes.",
        discussion: """
            Uses the map from frames to letters that training left beside the encoder, without the language model: a \
            measure of the encoder, and of how intelligible a voice is. Data files (.json, .jsonl) have recordings as items \
            with "speech"; where these have a transcript ("speech_asr"), errors by words and letters are counted, over all and \
            for every voice. Of sound files, what is heard is printed.

            Examples:
              lyra data listen question.wav --encoder models/nano-towers
              lyra data listen valid.jsonl --encoder runs/speech_encoder
              lyra data listen spoken.jsonl --encoder runs/speech_encoder --show
            """)

    @Argument(help: "Data files with recordings, or sound files.")
    var files: [String]

    @Option(help: ArgumentHelp("Output folder of a speech_encoder run.", valueName: "dir"))
    var encoder: String

    @Option(help: ArgumentHelp("Recordings listened to, at most, spread over the files.", valueName: "n"))
    var limit: Int?

    @Flag(help: "Print what was heard.")
    var show = false

    @Flag(help: "Print the result as JSON.")
    var json = false

    private struct Rate: Encodable {
        var recordings: Int
        var wer, cer: Double
        init(_ rate: ErrorRate) { (recordings, wer, cer) = (rate.texts, rate.wer, rate.cer) }
    }

    private struct Report: Encodable {
        var all: Rate
        var voices: [String: Rate]
    }

    private static func isData(_ file: String) -> Bool { ["json", "jsonl"].contains((file as NSString).pathExtension.lowercased()) }

    func validate() throws {
        if json, let sound = files.first(where: { !Self.isData($0) }) {
            throw ValidationError("--json gives mistakes, which are counted in data files; \(sound) is a sound file")
        }
    }

    func run() async throws {
        let ears = try SpellingEncoder(tower: encoder + "/speech_encoder", head: encoder + "/spelling.safetensors")
        for file in files where !Self.isData(file) {
            let heard = ears.transcribe(try AudioReader.readAll(.file(file), sampleRate: LogMel.sampleRate))
            try Terminal.shared.write(files.count > 1 ? "\(file)\t\(heard)\n" : heard + "\n")
        }
        let sources = files.filter(Self.isData).map { DataSource($0) }
        guard !sources.isEmpty else { return }
        let recordings = try Recordings(sources), count = min(limit ?? recordings.count, recordings.count)
        var all = ErrorRate(), voices: [String: ErrorRate] = [:]
        for number in 0..<count {
            try Task.checkCancellation()
            let item = try recordings.item(number * recordings.count / count)
            let heard = ears.transcribe(try Recordings.samples(item))
            if show { try Terminal.shared.write("\(item.id)\t\(heard)\n") }
            guard let said = item.transcript else { continue }
            all.add(heard: heard, said: said)
            voices[item.voice ?? "unknown", default: ErrorRate()].add(heard: heard, said: said)
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            let report = Report(all: Rate(all), voices: voices.mapValues { Rate($0) })
            return try Terminal.shared.write(String(decoding: encoder.encode(report), as: UTF8.self) + "\n")
        }
        func row(_ name: String, _ rate: ErrorRate) -> [String] {
            [name, "\(rate.texts)", String(format: "%.2f %%", 100 * rate.wer), String(format: "%.2f %%", 100 * rate.cer)]
        }
        let rows = voices.sorted { $0.key < $1.key }.map { row($0.key, $0.value) } + [row("all", all)]
        try Terminal.shared.write(
            Columns.lines([["voice", "recordings", "WER", "CER"]] + rows, right: [1, 2, 3]).joined(separator: "\n") + "\n")
    }
}
