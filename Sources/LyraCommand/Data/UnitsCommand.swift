// lyra data units: clusters frames of recordings, and writes which cluster every frame belongs to.
import ArgumentParser
import Foundation
import Lyra
import LyraModel
import LyraTraining
import MLX

extension UnitFeatures: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

struct UnitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "units",
        abstract: "Cut recordings of a voice into speech units.",
        discussion: """
            Clusters frames of 20 ms by k-means, and writes the clusters (codebook.safetensors) and every recording's \
            frames as numbers of clusters (units.txt, a line "id|12 12 7" each) into the output folder. The vocoder learns \
            from these which sound a unit has and how long it lasts; the speech generator, for which repeats count once, \
            to write them. With --codebook nothing is clustered: a finished codebook's units are written.

            Examples:
              lyra data units voice.jsonl --clusters 200 --output units
              lyra data units answers.jsonl --codebook units/codebook.safetensors --output answers
              lyra data units voice.jsonl --features encoder:2 --speech-tower runs/speech_encoder/speech_encoder --output units
            """)

    @Argument(help: "Data files with recordings (\"speech\").")
    var files: [String]

    @Option(name: [.short, .long], help: ArgumentHelp("Where to write.", valueName: "dir"))
    var output: String

    @Option(help: ArgumentHelp("How many units there are.", valueName: "n"))
    var clusters = 200

    @Option(help: ArgumentHelp("What frames are compared by: mel, or encoder:N for the states after N layers of a speech encoder.", valueName: "features"))
    var features: UnitFeatures = .mel

    @Option(help: ArgumentHelp("Folder of the speech encoder, for features of it.", valueName: "dir"))
    var speechTower: String?

    @Option(help: ArgumentHelp("A finished codebook, instead of clustering.", valueName: "file"))
    var codebook: String?

    @Option(help: ArgumentHelp("What a change of the unit costs, in mean squared distances of frames from their units: the more, the longer units last.", valueName: "x"))
    var changeCost: Float = 0

    @Option(help: ArgumentHelp("Only recordings of this voice (\"voice\").", valueName: "name"))
    var voice: String?

    @Option(help: ArgumentHelp("What paths of recordings are relative to. Default: the folder of the data file.", valueName: "dir"))
    var speechFolder: String?

    @Option(help: ArgumentHelp("Frames that clusters are made from, at most.", valueName: "n"))
    var frames = 200_000

    @Option(help: ArgumentHelp("Seed of the clusters.", valueName: "n"))
    var seed: UInt64 = 0

    func validate() throws {
        guard clusters > 0, frames > 0 else { throw ValidationError("--clusters and --frames are at least 1") }
        guard changeCost >= 0, changeCost.isFinite else { throw ValidationError("--change-cost is a number from 0 on") }
    }

    func run() async throws {
        let sources = files.map { DataSource($0, speechFolder: speechFolder) }
        let recordings = try Recordings(sources)
        let items = try (0..<recordings.count).map { try recordings.item($0) }.filter { voice == nil || $0.voice == voice }
        guard !items.isEmpty else { throw UsageError("no recording\(voice.map { " of the voice \($0)" } ?? "") in \(files.joined(separator: ", "))") }
        let book = try codebook.map { try UnitCodebook.load($0) }
        let extractor = try UnitFeatureExtractor(book?.features ?? features, tower: speechTower)
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let finished: UnitCodebook
        if let book { finished = book } else {
            finished = UnitCodebook(features: features, clusters: try cluster(items, extractor))
            try finished.save(output + "/codebook.safetensors")
            try Terminal.shared.write(output + "/codebook.safetensors\n")
        }
        var text = "", total = 0, runs = 0
        try each(items, "units") { item, samples in
            let units = finished.clusters.follow(extractor(samples), changeCost: changeCost)
            total += units.count
            runs += UnitFrames.runs(units).units.count
            text += UnitFrames.line(item.id, units)
        }
        try Data(text.utf8).write(to: URL(fileURLWithPath: output + "/units.txt"), options: .atomic)
        Terminal.shared.say(
            String(
                format: "%d recordings, %.1f minutes, %.1f runs of units a second", items.count, Double(total) / 3_000,
                50 * Double(runs) / Double(max(1, total))))
        try Terminal.shared.write(output + "/units.txt\n")
    }

    private func cluster(_ items: [Recordings.Item], _ extractor: UnitFeatureExtractor) throws -> KMeans {
        var points: [MLXArray] = [], count = 0
        // Spread over all recordings, until there are enough.
        var order = Array(items.indices), random = SplitMix64(state: seed &+ 1)
        order.shuffle(using: &random)
        try each(order.map { items[$0] }, "features", until: { count >= frames }) { _, samples in
            let features = extractor(samples)
            eval(features)
            points.append(features)
            count += features.dim(0)
        }
        guard count >= clusters else { throw UsageError("\(count) frames cannot make \(clusters) clusters") }
        let fitted = try KMeans.fit(concatenated(points, axis: 0), clusters: clusters, seed: seed) { iteration, distance in
            try Task.checkCancellation()
            Terminal.shared.draw(String(format: "clustering: iteration %d, mean squared distance %.4f", iteration, distance))
        }
        Terminal.shared.clearProgress()
        return fitted
    }

    private func each(
        _ items: [Recordings.Item], _ label: String, until enough: () -> Bool = { false },
        _ body: (Recordings.Item, [Float]) throws -> Void
    ) throws {
        let began = ContinuousClock.now
        for (number, item) in items.enumerated() where !enough() {
            try Task.checkCancellation()
            try body(item, Recordings.samples(item))
            Terminal.shared.draw(
                ProgressLine(
                    label: label, fraction: Double(number + 1) / Double(items.count), count: "\(number + 1)/\(items.count)",
                    elapsed: (ContinuousClock.now - began) / .seconds(1)
                ).text(columns: Terminal.columns))
        }
        Terminal.shared.clearProgress()
    }
}
