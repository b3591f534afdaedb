// The adapter a run trains: found in the checkpoint, or begun anew.
import Foundation
import LyraModel
import MLX

/// Which adapter a run trains, and how it begins.
public struct AdapterSettings: Sendable, Codable, Equatable {
    public enum Beginning: String, Sendable, Codable {
        /// Goes on from the checkpoint's adapter of that name if there is one.
        case existing
        /// A random, a zero (B = 0): at first the adapter changes nothing.
        case new
    }
    public var name: Adapter
    public var rank: Int
    public var alpha: Float
    /// Share of the inputs of A that is dropped in training.
    public var dropout: Float
    /// Linear maps of the language model that are adapted, by the last part of their names.
    public var targets: [String]
    public var initialize: Beginning

    public init(
        name: Adapter, rank: Int = 128, alpha: Float = 256, dropout: Float = 0.05,
        targets: [String] = AdapterSettings.allTargets, initialize: Beginning = .existing
    ) {
        (self.name, self.rank, self.alpha, self.dropout, self.targets) = (name, rank, alpha, dropout, targets)
        self.initialize = initialize
    }

    /// Every linear map of a decoder layer.
    public static let allTargets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(Adapter.self, forKey: .name)
        rank = try values.decodeIfPresent(Int.self, forKey: .rank) ?? 128
        alpha = try values.decodeIfPresent(Float.self, forKey: .alpha) ?? Float(2 * rank)
        dropout = try values.decodeIfPresent(Float.self, forKey: .dropout) ?? 0.05
        targets = try values.decodeIfPresent([String].self, forKey: .targets) ?? Self.allTargets
        initialize = try values.decodeIfPresent(Beginning.self, forKey: .initialize) ?? .existing
    }
}

enum AdapterWeights {
    /// The tensors of the adapter and of its projector, whose names begin with `model.model.mm_speech_projector`.
    static func open(
        _ wanted: AdapterSettings, _ location: ModelLocation, _ configuration: LyraConfiguration,
        baseProjector: any TensorSource, seed: UInt64
    ) throws -> (active: TrainingWeights.ActiveAdapter, source: DictionarySource) {
        var settings = AdapterConfiguration(rank: wanted.rank, alpha: wanted.alpha)
        settings.targetModules = wanted.targets
        var arrays: [String: MLXArray] = [:]
        var trainables: (any TensorSource)?
        if wanted.initialize == .existing, let folder = location.adapters[wanted.name] {
            settings = try AdapterConfiguration.load(folder + "/adapter_config.json")
            guard settings.rank == wanted.rank, settings.alpha == wanted.alpha else {
                throw TrainingError.adapterDisagrees(
                    folder: folder, rank: settings.rank, alpha: settings.alpha,
                    wanted: "rank \(wanted.rank) and alpha \(wanted.alpha)")
            }
            let source = try WeightFiles.openAdapter(folder)
            for name in source.names { arrays[name] = try source.array(name) }
            trainables = try WeightFiles.openTrainables(folder)
        } else {
            let recorder = Parameters(nil)
            var decoder = Decoder(Parameters(nil), configuration)
            decoder.attach(wanted.name, recorder, prefix: "base_model.model.", rank: wanted.rank, scale: 1)
            let targets = Set(wanted.targets)
            let known = Set(AdapterSettings.allTargets)
            guard !targets.isEmpty, targets.isSubset(of: known) else {
                throw ConfigurationError.invalid(
                    key: "adapter.targets", value: wanted.targets.joined(separator: ", "),
                    expected: "some of \(AdapterSettings.allTargets.joined(separator: ", "))")
            }
            for request in recorder.requests {
                // ...q_proj.lora_A.weight
                let parts = request.name.split(separator: ".")
                guard parts.count > 3, targets.contains(String(parts[parts.count - 3])) else { continue }
                if parts[parts.count - 2] == "lora_B" {
                    arrays[request.name] = MLXArray.zeros(request.shape)
                } else {
                    // As PEFT: uniform within ±1 / sqrt(in).
                    let hash = request.name.utf8.reduce(seed &* 0x9E37_79B9_7F4A_7C15) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
                    let bound = 1 / Float(request.shape[1]).squareRoot()
                    arrays[request.name] = MLXRandom.uniform(
                        low: -bound, high: bound, request.shape, key: MLXRandom.key(hash))
                }
            }
        }
        // The release drops the first "model." of the projector's keys.
        let projector = Parameters(nil)
        _ = SpeechProjector(projector, configuration)
        for request in projector.requests {
            if let trainables, trainables.describe("model.\(request.name)") != nil {
                arrays["model.\(request.name)"] = try trainables.array("model.\(request.name)")
            } else {
                arrays["model.\(request.name)"] = try baseProjector.array(request.name)
            }
        }
        return (
            .init(kind: wanted.name, settings: settings, dropout: wanted.dropout),
            DictionarySource(arrays, origin: location.adapters[wanted.name] ?? "a new adapter")
        )
    }
}
