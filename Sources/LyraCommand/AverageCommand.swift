// lyra average: the mean of several checkpoints.
import ArgumentParser
import Foundation
import LyraModel
import LyraTraining

struct AverageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "average",
        abstract: "Write the mean of several checkpoints' weights.",
        discussion: """
            Checkpoints that were trained on from the same weights, by other data, rates or for longer, often make a better one \
            together: what one has forgotten another knows still, and noise goes away (a "model soup"). It costs no more than one \
            when it answers. Measure the mean before you keep it (`lyra eval`); of models with different beginnings it is noise.

            What is not averaged is the first model's: tensors that no --only names, configuration, tokenizer, vocoder. Adapters do \
            not go along, as they fit the weights they were trained beside. One tensor is computed at a time. Nothing is overwritten.

            Examples:
              lyra average runs/a/model runs/b/model --out mean
              lyra average before runs/a/model --shares 1,3 --out mean
              lyra average runs/a/model runs/b/model --only 'model/model.layers.*' --only 'vision/*' --out mean
            """)

    @Argument(help: "The checkpoints: folders with config.json, or releases' roots. At least two.")
    var models: [String]

    @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"))
    var out: String

    @Option(help: ArgumentHelp("What each counts, such as 1,3. Default: all the same.", valueName: "list"))
    var shares: String?

    @Option(
        help: ArgumentHelp(
            "Average these tensors alone, by full name (model/…, vision/…, whisper/…); * stands for any run of characters. Can be given several times.",
            valueName: "pattern"))
    var only: [String] = []

    @Option(help: "Element type of the language model's weights. Default: as they are in the first checkpoint.")
    var dtype: WeightType?

    func validate() throws {
        guard models.count > 1 else { throw ValidationError("give two checkpoints or more") }
    }

    func run() async throws {
        Log.start(verbose: false)
        var average = CheckpointAverage(try models.map { try ModelLocation.resolve($0) })
        average.patterns = only.map { NamePattern($0) }
        average.dtype = dtype?.dtype
        if let shares {
            average.shares = try shares.split(separator: ",", omittingEmptySubsequences: false).map {
                guard let share = Double($0.trimmingCharacters(in: .whitespaces)) else {
                    throw UsageError("--shares is '\(shares)'; give numbers with commas between them, such as 1,3")
                }
                return share
            }
        }
        let progress = ShareProgress()
        let count = try average.write(to: out) { share in
            try progress.show("averaging", share)
        }
        Terminal.shared.clearProgress()
        Terminal.shared.say("\(count) tensors averaged")
        try Terminal.shared.write(out + "\n")
    }
}
