// lyra quantize: a copy of a checkpoint whose weights are 4- or 8-bit integers.
import ArgumentParser
import Foundation
import LyraModel
import LyraTraining

/// Bits of one part's weights: "4", "8" or "none".
struct BitsArgument: ExpressibleByArgument, Equatable {
    /// nil: the part stays as it is.
    var bits: Int?

    init(_ bits: Int?) { self.bits = bits }

    init?(argument: String) {
        if argument == "none" { return }
        guard let bits = Int(argument), [4, 8].contains(bits) else { return nil }
        self.bits = bits
    }

    static var allValueStrings: [String] { ["4", "8", "none"] }
    var defaultValueDescription: String { bits.map(String.init) ?? "none" }
}

struct QuantizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Write a copy of a checkpoint with 4- or 8-bit weights.",
        discussion: """
            The copy takes a quarter or half of the memory, and new tokens come as many times faster. It is complete in itself: \
            adapters, tokenizer, towers and vocoder come along. Weights are in the form of MLX's tools (groups of integers \
            with a scale and a bias each, "quantization" in config.json), and what those write is read likewise. One tensor \
            is in memory at a time. Nothing is overwritten.

            Norms, biases and convolutions stay as they are, and so do matrices whose rows are no whole groups. Adapters take the \
            type of the weights they belong to, where they are float32 in safetensors. What the copy's answers lose is measured by \
            `lyra compare`.

            Examples:
              lyra quantize Lyra_Mini_3B Lyra_Mini_3B_4bit
              lyra quantize Lyra_Mini_3B Lyra_Mini_3B_8bit --bits 8 --vision-bits none
              lyra quantize Lyra_Mini_3B out --bits 4 --group-size 32 --keep 'model/model.embed_tokens' --keep '*.down_proj'
            """)

    @Argument(help: "The checkpoint: a folder with config.json, or a release's root.")
    var model: String

    @Argument(help: "The folder to write.")
    var out: String

    @Option(help: ArgumentHelp("Bits of the language model's weights.", valueName: "4|8|none"))
    var bits = BitsArgument(4)

    @Option(help: ArgumentHelp("Weights that share a scale and a bias: 32, 64 or 128.", valueName: "n"))
    var groupSize = 64

    @Option(help: ArgumentHelp("Bits of the speech generator's weights. Default: as the language model.", valueName: "4|8|none"))
    var generatorBits: BitsArgument?

    @Option(help: ArgumentHelp("Bits of the vision tower's weights.", valueName: "4|8|none"))
    var visionBits = BitsArgument(8)

    @Option(help: ArgumentHelp("Bits of the speech encoder's weights.", valueName: "4|8|none"))
    var speechBits = BitsArgument(8)

    @Option(
        help: ArgumentHelp(
            "A layer to leave as it is, by its full name; * stands for any run of characters. Can be given several times.",
            valueName: "pattern"))
    var keep: [String] = []

    @Option(help: ArgumentHelp("Where the vision tower is, if not where config.json says.", valueName: "dir"))
    var visionTower: String?

    @Option(help: ArgumentHelp("Where the speech tower is, if not where config.json says.", valueName: "dir"))
    var speechTower: String?

    func run() async throws {
        Log.start(verbose: false)
        guard [32, 64, 128].contains(groupSize) else { throw UsageError("--group-size is \(groupSize); give 32, 64 or 128") }
        let (location, configuration) = try ModelLocation.resolve(model, vision: visionTower, speech: speechTower)
        func setting(_ argument: BitsArgument) -> Quantization.Setting? { argument.bits.map { .init(groupSize: groupSize, bits: $0) } }
        var quantizer = CheckpointQuantizer(setting(bits))
        quantizer.vision = setting(visionBits)
        quantizer.speech = setting(speechBits)
        quantizer.kept = keep.map { NamePattern($0) }
        if let generatorBits {
            quantizer.generator = setting(generatorBits)
            quantizer.keepsGenerator = generatorBits.bits == nil
        }
        let progress = ShareProgress()
        let summary = try quantizer.write(location, configuration, to: out) { share in
            try progress.show("quantising", share)
        }
        Terminal.shared.clearProgress()
        Terminal.shared.say("\(summary.layers) of \(summary.candidates) layers quantised")
        try Terminal.shared.write(out + "\n")
    }
}
