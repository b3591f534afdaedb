// Options of how replies are made: sampling, length, adapter, extractor.
import ArgumentParser
import Lyra
import LyraModel

/// LMME(n, rho): "4,0.7".
struct ExtractArgument: ExpressibleByArgument, Equatable {
    var blocks: Int
    var keepRate: Float

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 2, let blocks = Int(parts[0].trimmingPrefix(" ")), let rate = Float(parts[1].trimmingPrefix(" ")) else {
            return nil
        }
        (self.blocks, keepRate) = (blocks, rate)
    }

    func check() throws(UsageError) {
        guard blocks >= 2 else { throw UsageError("--extract: \(blocks) blocks drop nothing; give 2 or more, e.g. --extract 4,0.7") }
        guard keepRate > 0, keepRate <= 1 else {
            throw UsageError("--extract: the share kept is \(keepRate); give more than 0 and at most 1, e.g. --extract 4,0.7")
        }
    }
}

struct ReplyFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Most tokens of the reply.", valueName: "n"))
    var maxTokens = 256

    @Option(help: ArgumentHelp("Randomness: 0 always takes the most likely token.", valueName: "t"))
    var temperature: Float = 0

    @Option(help: ArgumentHelp("Draw only from the likeliest tokens that together have this probability.", valueName: "p"))
    var topP: Float = 1

    @Option(help: ArgumentHelp("Draw only from this many of the likeliest tokens; 0 for all.", valueName: "k"))
    var topK = 0

    @Option(help: ArgumentHelp("Seed of random draws: the same seed gives the same reply.", valueName: "s"))
    var seed: UInt64 = 0

    @Option(
        help: "Low-rank adapter: auto takes none without speech, speech for one window of it (30 s in the release), long_speech for more.")
    var adapter = AdapterChoice.automatic

    @Option(
        help: ArgumentHelp(
            "Drop media tokens the question does not attend to: the layers are split into N blocks, and after each but the last the share RHO of the tokens goes on, e.g. 4,0.7.",
            valueName: "n,rho"))
    var extract: ExtractArgument?

    @Option(help: ArgumentHelp("The same, with layers per block instead of blocks; needs --keep-rate.", valueName: "layers"))
    var compressGap: Int?

    @Option(help: ArgumentHelp("Share of media tokens kept after each block.", valueName: "rho"))
    var keepRate: Float?

    @Flag(help: "Let every question of a conversation choose among the media anew. It takes longer than to go on with what the first one chose.")
    var chooseAnew = false

    @Option(help: ArgumentHelp("Most frames looked at of a video, which is sampled twice a second.", valueName: "n"))
    var maxFrames = 16

    func check() throws(UsageError) {
        guard maxTokens >= 1 else { throw UsageError("--max-tokens is \(maxTokens); give 1 or more") }
        guard temperature >= 0, temperature.isFinite else { throw UsageError("--temperature is \(temperature); give 0 or more") }
        guard topP > 0, topP <= 1 else { throw UsageError("--top-p is \(topP); give more than 0 and at most 1") }
        guard topK >= 0 else { throw UsageError("--top-k is \(topK); give 0 or more") }
        guard maxFrames >= 2 else { throw UsageError("--max-frames is \(maxFrames); give 2 or more") }
        guard extract == nil || (compressGap == nil && keepRate == nil) else {
            throw UsageError("--extract and --compress-gap/--keep-rate say the same thing; give one of them")
        }
        try extract?.check()
        guard (compressGap == nil) == (keepRate == nil) else { throw UsageError("--compress-gap and --keep-rate go together") }
        if let compressGap, compressGap < 1 { throw UsageError("--compress-gap is \(compressGap); give 1 or more layers") }
        if let keepRate, !(keepRate > 0 && keepRate <= 1) {
            throw UsageError("--keep-rate is \(keepRate); give more than 0 and at most 1")
        }
    }

    /// Whether tokens may be dropped.
    var extracts: Bool { extract != nil || compressGap != nil }

    func extractor(layers: Int) throws(UsageError) -> ExtractorOptions? {
        if let extract {
            guard extract.blocks <= layers else {
                throw UsageError("--extract: the model has \(layers) layers, which cannot be split into \(extract.blocks) blocks")
            }
            return ExtractorOptions(blocks: extract.blocks, keepRate: extract.keepRate, layers: layers)
        }
        if let compressGap, let keepRate {
            guard compressGap < layers else {
                throw UsageError("--compress-gap \(compressGap) drops nothing: the model has \(layers) layers")
            }
            return ExtractorOptions(gap: compressGap, keepRate: keepRate)
        }
        return nil
    }

    func options(layers: Int) throws(UsageError) -> ReplyOptions {
        var options = ReplyOptions()
        options.maximumTokens = maxTokens
        options.sampling = SamplingOptions(temperature: temperature, topK: topK, topP: topP, seed: seed)
        options.adapter = adapter
        options.maximumFrames = maxFrames
        options.choosesAnew = chooseAnew
        options.extractor = try extractor(layers: layers)
        return options
    }
}
