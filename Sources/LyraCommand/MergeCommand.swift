// lyra merge: a checkpoint with an adapter folded into its weights.
import ArgumentParser
import Foundation
import LyraModel
import LyraTraining

struct MergeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Fold an adapter into the weights.",
        discussion: """
            Writes a checkpoint that does without adapters what MODEL does with this one, its speech projector included. \
            One tensor is in memory at a time. Towers and vocoder are copied along where they would not be found from the \
            new folder. Nothing is overwritten.

            Examples:
              lyra merge Lyra_Mini_3B --adapter speech --out Lyra_Mini_3B_speech
              lyra merge Lyra_Mini_3B --adapter runs/stage2/speech_lora --out merged --dtype f32
            """)

    @Argument(help: "The checkpoint: a folder with config.json, or a release's root. Default: LYRA_MODEL.")
    var model: String?

    @Option(help: ArgumentHelp("speech or long_speech, or the folder of a PEFT adapter.", valueName: "name|dir"))
    var adapter: String

    @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"))
    var out: String

    @Option(help: "Element type of the language model's weights. Default: as they are in the checkpoint.")
    var dtype: WeightType?

    @Option(help: ArgumentHelp("Where the vision tower is, if not where config.json says.", valueName: "dir"))
    var visionTower: String?

    @Option(help: ArgumentHelp("Where the speech tower is, if not where config.json says.", valueName: "dir"))
    var speechTower: String?

    func run() async throws {
        Log.start(verbose: false)
        let (location, configuration) = try ModelLocation.resolve(try NamedModel.path(model, orShipped: false), vision: visionTower, speech: speechTower)
        let progress = ShareProgress()
        try AdapterMerge.write(
            location, configuration, adapter: try folder(location), to: out, dtype: dtype?.dtype
        ) { share in
            try progress.show("merging", share)
        }
        try Terminal.shared.write(out + "\n")
    }

    private func folder(_ location: ModelLocation) throws -> String {
        if let named = Adapter(rawValue: adapter) {
            guard let folder = location.adapters[named] else {
                throw MissingInput("the checkpoint \(location.model) has no adapter '\(adapter)'")
            }
            return folder
        }
        guard FileManager.default.fileExists(atPath: adapter + "/adapter_config.json") else {
            throw MissingInput("there is no adapter_config.json in \(adapter); give speech, long_speech or an adapter's folder")
        }
        return adapter
    }
}
