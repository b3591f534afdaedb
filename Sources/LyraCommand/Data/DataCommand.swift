// lyra data: what is done with training data besides training.
import ArgumentParser
import Foundation
import LyraModel
import LyraTraining

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Generate training data, prepare it, and look after it.",
        subcommands: [
            DataSynthesisCommand.self, DataTokenizerCommand.self, DataCheckCommand.self, UnitsCommand.self, MatchUnitsCommand.self,
            VocodeCommand.self, ListenCommand.self, AlignCommand.self, DataLibriSpeechCommand.self, DataCommonVoiceCommand.self, DataNeedleCommand.self,
            DataSpeechFromTextCommand.self, DataLongSpeechCommand.self,
        ])
}

struct DataCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Find samples that cannot be trained on, before training does.",
        discussion: """
            Reads every item, encodes its conversation and decodes all its media as training would, on all cores. Prints \
            what is there, how long samples are in tokens, and what is wrong with which sample. The exit code is 1 if \
            any sample is bad; training would leave those out and go on. The format is described in docs/training-data.md.

            Examples:
              lyra data check train.json --image-folder images --speech-folder speech
              lyra data check --headers-only --max-tokens 8192 train.jsonl
              lyra data check --json train.json | jq -r '.problems[].id'
            """)

    @Argument(help: "Data files: JSON lists or JSON lines.")
    var files: [String]

    @Option(help: ArgumentHelp("What media paths are relative to. Default: the folder of the data file.", valueName: "dir"))
    var mediaFolder: String?

    @Option(help: ArgumentHelp("The same for pictures and videos alone.", valueName: "dir"))
    var imageFolder: String?

    @Option(help: ArgumentHelp("The same for recordings alone.", valueName: "dir"))
    var speechFolder: String?

    @Option(help: ArgumentHelp("Speech units by sample id; samples without units are then bad.", valueName: "file"))
    var units: String?

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The checkpoint that is to be trained: its tokenizer and sizes count. Default: the environment variable LYRA_MODEL.",
            valueName: "dir"))
    var model: String?

    @Option(help: ArgumentHelp("Samples of more tokens are bad.", valueName: "n"))
    var maxTokens: Int?

    @Option(help: ArgumentHelp("Most frames taken from a video.", valueName: "n"))
    var maxFrames = SampleEncoder.Settings().maximumFrames

    @Flag(help: "Look at the headers of media files alone, which is fast but finds less.")
    var headersOnly = false

    @Option(help: ArgumentHelp("How many samples are looked at in parallel. Default: one for each core.", valueName: "n"))
    var jobs: Int?

    @Option(help: ArgumentHelp("How many bad samples are listed.", valueName: "n"))
    var list = 20

    @Flag(help: "Print one JSON object, with all bad samples.")
    var json = false

    func validate() throws {
        if files.isEmpty { throw ValidationError("give at least one data file") }
        if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1") }
        if maxFrames < 2 { throw ValidationError("--max-frames must be at least 2") }
        if let jobs, !(1...1024).contains(jobs) { throw ValidationError("--jobs must be 1 to 1024") }
        if list < 0 { throw ValidationError("--list must not be negative") }
    }

    func run() async throws {
        Log.start(verbose: false)
        for file in files + [units].compactMap({ $0 }) where !FileManager.default.fileExists(atPath: file) {
            throw MissingInput("no file at \(file)")
        }
        let data = try TrainingData(
            files.map {
                DataSource(
                    $0, mediaFolder: mediaFolder, imageFolder: imageFolder, speechFolder: speechFolder, unitsFile: units)
            })
        let report = try await check(data, try encoder())
        Terminal.shared.clearProgress()
        try Terminal.shared.write(json ? try JSONText.encode(report) + "\n" : report.text(listing: list))
        if report.badCount > 0 { throw BadData(bad: report.badCount, of: report.samples) }
    }

    private func encoder() throws -> SampleEncoder {
        let (location, configuration) = try ModelLocation.resolve(try NamedModel.path(model, orShipped: false))
        var settings = SampleEncoder.Settings()
        settings.maximumTokens = maxTokens
        settings.maximumFrames = maxFrames
        settings.requiresUnits = units != nil
        return try SampleEncoder(location, configuration, settings: settings)
    }

    private func check(_ data: TrainingData, _ encoder: SampleEncoder) async throws -> DataReport {
        let began = ContinuousClock.now, count = data.count
        return try await DataCheck.run(
            data, encoder, decoding: !headersOnly, workers: jobs ?? ProcessInfo.processInfo.activeProcessorCount
        ) { done in
            let elapsed = (ContinuousClock.now - began) / .seconds(1)
            Terminal.shared.draw(
                ProgressLine(
                    label: "checking", fraction: Double(done) / Double(count), count: "\(done)/\(count) samples",
                    rate: String(format: "%.0f/s", Double(done) / max(elapsed, 0.001)), elapsed: elapsed
                ).text(columns: Terminal.columns))
        }
    }
}

/// Some samples cannot be used.
struct BadData: Error, LocalizedError {
    let bad, of: Int
    var errorDescription: String? { "\(bad) of \(of) samples cannot be trained on" }
}

extension DataReport {
    func text(listing limit: Int) -> String {
        var lines = ["\(samples) samples, \(good) good, \(badCount) bad"]
        let sound = soundSeconds > 0 ? " (\(ProgressLine.clock(soundSeconds)) of sound)" : ""
        lines.append(
            "\(pictures) pictures, \(videos) videos, \(recordings) recordings\(sound), \(transcripts) transcripts, "
                + "\(withUnits) samples with units")
        if let lengths {
            lines.append(
                "\(lengths.total) tokens, \(supervisedTokens) of them supervised; median \(lengths.median), "
                    + "99 % up to \(lengths.percentile99), longest \(lengths.longest)")
            let most = lengths.buckets.map(\.count).max() ?? 1
            let rows = lengths.buckets.map { bucket in
                [
                    "\(bucket.from) to \(bucket.to - 1)", "\(bucket.count)",
                    String(repeating: "█", count: (bucket.count * 40 + most - 1) / max(1, most)),
                ]
            }
            lines += [""] + Columns.lines([["tokens", "samples", ""]] + rows, right: [0, 1])
        }
        if badCount > 0 {
            let rows = bad.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { [$0.key, "\($0.value)"] }
            lines += [""] + Columns.lines([["bad", "samples"]] + rows, right: [1])
        }
        if limit > 0, !problems.isEmpty {
            lines += [""] + problems.prefix(limit).map { $0.localizedDescription }
            if badCount > limit { lines.append("... and \(badCount - min(limit, problems.count)) more") }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
