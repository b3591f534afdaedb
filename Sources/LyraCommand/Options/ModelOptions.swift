// Options that choose a checkpoint and how it is computed, shared by all commands that open one.
import ArgumentParser
import Foundation
import Logging
import Lyra
import LyraModel
import MLX

extension Precision: ExpressibleByArgument {}
extension AdapterChoice: ExpressibleByArgument {}
extension CacheFormat: ExpressibleByArgument {}

struct ModelOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The checkpoint: a folder with config.json, or a release's root. \(NamedModel.defaultHelp)",
            valueName: "dir"))
    var model: String?

    @Option(
        help: ArgumentHelp(
            "f32 is exact, bf16 takes half the memory and time, int8 takes products in 8-bit integers. Default: bf16 where the processor has instructions for it.",
            valueName: "type"))
    var precision: Precision?

    @Option(help: ArgumentHelp("Where the vision tower is, if not where config.json says.", valueName: "dir"))
    var visionTower: String?

    @Option(help: ArgumentHelp("Where the speech tower is, if not where config.json says.", valueName: "dir"))
    var speechTower: String?

    @Option(help: ArgumentHelp("Where the vocoder is, if not in model_zoo/audio/vocoder.", valueName: "dir"))
    var vocoder: String?

    @Option(help: ArgumentHelp("An adapter to use for speech instead of the checkpoint's speech_lora.", valueName: "dir"))
    var speechLora: String?

    @Option(help: ArgumentHelp("An adapter to use for long speech instead of the checkpoint's long_speech_lora.", valueName: "dir"))
    var longSpeechLora: String?

    @Option(
        help: ArgumentHelp(
            "How keys and values of a conversation are kept: exact, or int8 for half the memory and slower new tokens.", valueName: "format"))
    var kvCache = CacheFormat.exact

    @Option(
        name: .customLong("cache"),
        help: ArgumentHelp("Keep encoded speech in this folder, so that a recording is encoded but once.", valueName: "dir"))
    var cacheFolder: String?

    @Option(help: ArgumentHelp("Most that is kept there.", valueName: "size"))
    var cacheSize = ByteSize(bytes: 4_000_000_000)

    @Flag(help: "Do as the original release does where this implementation differs by choice (docs/compatibility.md).")
    var compat = false

    @Flag(name: [.short, .long], help: "Tell on standard error what is being done.")
    var verbose = false

    /// The checkpoint's path.
    func path() throws -> String { try NamedModel.path(model) }

    private var adapters: [Adapter: String] {
        var folders: [Adapter: String] = [:]
        folders[.speech] = speechLora
        folders[.longSpeech] = longSpeechLora
        return folders
    }

    /// What a request wants of the model.
    struct Needs: OptionSet {
        let rawValue: Int
        static let sight = Needs(rawValue: 1), hearing = Needs(rawValue: 2), speech = Needs(rawValue: 4)
    }

    /// Finds the checkpoint's parts, without loading them, and fails if one that is needed is not there.
    func resolve(needs: Needs = []) throws -> (location: ModelLocation, configuration: LyraConfiguration) {
        let (location, configuration) = try ModelLocation.resolve(
            try path(), vision: visionTower, speech: speechTower, vocoder: vocoder, adapters: adapters)
        let wanted: [(Needs, String, String?)] = [
            (.sight, "vision tower", location.vision), (.hearing, "speech tower", location.speech),
            (.speech, "vocoder", location.vocoder),
        ]
        for (need, part, found) in wanted where needs.contains(need) && found == nil {
            throw location.missing[part]
                ?? ModelLocationError.noModel(path: location.model, reason: "its config.json names no \(part)")
        }
        if needs.contains(.speech), configuration.generator == nil {
            throw ModelLocationError.noModel(
                path: location.model, reason: "it has no speech generator, so it cannot speak; leave out --speak")
        }
        return (location, configuration)
    }

    /// Loads the checkpoint. What is freed later stays with the process, unless it `returnsMemory` because it lives long.
    func open(returnsMemory: Bool = false) async throws -> (lyra: Lyra, seconds: Double) {
        if !returnsMemory { Memory.keepFreed() }
        var options = LyraOptions()
        options.precision = precision
        (options.visionTower, options.speechTower, options.vocoder) = (visionTower, speechTower, vocoder)
        options.adapters = adapters
        options.isCompatible = compat
        options.cacheFormat = kvCache
        (options.cacheFolder, options.cacheBytes) = (cacheFolder, cacheSize.bytes)
        let began = ContinuousClock.now, path = try path()
        let lyra = try await withSpinner("loading the model") { [options] in try await Lyra.open(path, options: options) }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        try Task.checkCancellation()
        Log.command.info(
            "model loaded",
            metadata: [
                "model": "\(lyra.location.model)", "precision": "\(lyra.precision.rawValue)",
                "seconds": "\(String(format: "%.1f", seconds))",
            ])
        return (lyra, seconds)
    }
}
