// lyra new: a checkpoint with random weights, for tests and benchmarks.
import ArgumentParser
import Foundation
import LyraModel
import LyraText
import MLX

extension Preset: ExpressibleByArgument {}

/// Element types a checkpoint can be written in.
enum WeightType: String, ExpressibleByArgument, CaseIterable {
    case bf16, f16, f32

    var dtype: DType {
        switch self {
        case .bf16: .bfloat16
        case .f16: .float16
        case .f32: .float32
        }
    }
}

/// "5GB", "500 MB", "1000000"; powers of 1000.
struct ByteSize: ExpressibleByArgument, Equatable {
    var bytes: Int

    init(bytes: Int) { self.bytes = bytes }

    var defaultValueDescription: String { Bytes.text(bytes) }

    init?(argument: String) {
        let text = argument.uppercased().filter { !$0.isWhitespace }
        let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1)]
        let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
        guard let number = Double(text.dropLast(unit.0.count)), number * unit.1 >= 1, number * unit.1 < 1e15 else { return nil }
        bytes = Int(number * unit.1)
    }
}

struct NewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Write a checkpoint with random weights, in the layout of the release.",
        discussion: """
            The sizes are real, the knowledge is not: such a checkpoint is for tests, benchmarks and for trying a pipeline. \
            The same preset and seed give the same bytes. Some of nano's attention heads look back and copy from the start: it is to be trained.

              tiny   a few hundred thousand parameters
              nano   18 million parameters, speech in windows of 8 s: to be trained on a desktop processor
              mini   Lyra-Mini 3B: Qwen2-VL 2B, Whisper large-v3-turbo
              base   Lyra-Base 9B: Qwen2-VL 7B, Whisper large-v3
              pro    Lyra-Pro 74B: Qwen2-VL 72B, Whisper large-v3

            Examples:
              lyra new --preset tiny --seed 1 /tmp/tiny
              lyra ask --model /tmp/tiny --text "Hello?"
            """)

    @Option(help: "Sizes of the networks.")
    var preset: Preset

    @Option(help: "Seed of the random weights.")
    var seed: UInt64 = 0

    @Argument(help: "Where to write: a new folder, or one without such a model.")
    var directory: String

    @Option(
        help: ArgumentHelp("Folder whose tokenizer files are copied. Default: a tokenizer of single bytes.", valueName: "dir"))
    var tokenizer: String?

    @Option(help: "Element type of the weights.")
    var dtype = WeightType.bf16

    @Option(help: ArgumentHelp("Split weights into files of at most this size, e.g. 5GB. Default: one file.", valueName: "size"))
    var maxShardSize: ByteSize?

    func run() async throws {
        Log.start(verbose: false)
        if let tokenizer, !FileManager.default.fileExists(atPath: tokenizer) { throw MissingInput("no folder at \(tokenizer)") }
        // Half a checkpoint is of no use; a folder with other things in it is left alone.
        let isNew = !FileManager.default.fileExists(atPath: directory)
        if isNew { PartialFiles.shared.expectFolder(directory) }
        let model = try write()
        PartialFiles.shared.keepFolder(directory)
        try Terminal.shared.write(model + "\n")
    }

    /// Returns the model's folder.
    private func write() throws -> String {
        let progress = ShareProgress()
        var system = preset.configurations
        if let tokenizer { try Self.adopt(tokenizer, &system) }
        return try RandomCheckpoint.write(
            system, seed: seed, to: directory, dtype: dtype.dtype, tokenizer: tokenizer,
            maximumShardBytes: maxShardSize?.bytes
        ) { part, share in
            try progress.show("writing \(part)", share)
        }
    }

    /// Takes the ids of control tokens from the tokenizer.
    private static func adopt(_ folder: String, _ system: inout SystemConfiguration) throws {
        let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: folder))
        guard tokenizer.vocabularySize <= system.language.vocabularySize else {
            throw UsageError(
                "the tokenizer in \(folder) has \(tokenizer.vocabularySize) tokens, more than the preset's "
                    + "\(system.language.vocabularySize)")
        }
        system.endTokens = try .init(turn: Int(tokenizer.special("<|im_end|>")), text: Int(tokenizer.special("<|endoftext|>")))
    }
}
