// What a checkpoint holds and whether it fits its configurations: the loading path without the loading.
import Foundation
import MLX

/// The parts of a checkpoint on disk, with everything that is wrong with them.
public struct CheckpointAudit {
    /// A tensor as it is stored.
    public struct Tensor: Sendable, Equatable {
        public var name: String
        public var shape: [Int]
        public var dtype: DType
        public var count: Int { shape.reduce(1, *) }
        public var bytes: Int { count * dtype.size }
        /// Weights it holds: several an element where they are packed, none in the scales beside them.
        public var parameters: Int
    }

    /// A file or folder of weights.
    public final class Part {
        /// "language model", "adapter speech", "vision tower", ...
        public let name: String
        /// Where it is.
        public let path: String
        /// In order of their names.
        public let tensors: [Tensor]
        /// Names of tensors that are in the files but not used from there.
        public let unused: Set<String>
        /// What keeps it from being loaded.
        public let problems: [CheckpointError.Problem]
        /// How its weights are packed, and how many layers are; nil where weights are plain.
        public let quantization: Quantization?
        public let quantizedLayers: Int
        private let source: any TensorSource

        fileprivate init(
            name: String, path: String, source: any TensorSource, requests: [Parameters.Request],
            problems: [CheckpointError.Problem], quantization: Quantization? = nil
        ) {
            (self.name, self.path, self.source, self.problems) = (name, path, source, problems)
            let names = Set(source.names)
            let layers = Set(names.compactMap { $0.hasSuffix(".scales") ? String($0.dropLast(".scales".count)) : nil })
                .filter { names.contains("\($0).weight") && names.contains("\($0).biases") }
            (self.quantization, quantizedLayers) = (quantization, layers.count)
            tensors = names.sorted().compactMap { name in
                guard let found = source.describe(name) else { return nil }
                var tensor = Tensor(name: name, shape: found.shape, dtype: found.dtype, parameters: found.shape.reduce(1, *))
                let parts = name.split(separator: "."), layer = parts.dropLast().joined(separator: ".")
                if layers.contains(layer) {
                    // All integers have 32 bits in the file; how many weights that are says the configuration.
                    let bits = quantization?.setting(layer).bits ?? 4
                    tensor.parameters = parts.last == "weight" ? tensor.parameters * 32 / bits : parts.last == "bias" ? tensor.parameters : 0
                }
                return tensor
            }
            let asked = Set(requests.map(\.name))
            unused = asked.isEmpty ? [] : Set(tensors.map(\.name)).subtracting(asked)
        }

        /// How many values of a tensor are no numbers: reads all of it.
        public func nonFinite(_ tensor: Tensor) throws -> (nan: Int, infinite: Int) {
            guard tensor.dtype.isFloatingPoint else { return (0, 0) }
            return try source.array(tensor.name).withUnsafeBytes { FiniteScan.count($0, tensor.dtype) }
        }
    }

    public private(set) var parts: [Part] = []
    /// Parts that cannot even be opened, in words.
    public private(set) var failures: [String] = []
    /// Ids that end an answer.
    public private(set) var endTokens: [Int32] = []

    /// Looks at every part of a checkpoint; goes on after one that is broken.
    public init(_ location: ModelLocation, _ configuration: LyraConfiguration) {
        do {
            endTokens = try EndTokens.load(location.model, configuration).sorted()
        } catch {
            failures.append("end tokens: \(error.localizedDescription)")
        }
        look("language model", location.model, { try WeightFiles.open(location.model) }) { parameters, source in
            _ = Decoder(parameters, configuration)
            _ = SpeechProjector(parameters, configuration)
            if source.names.contains(where: { $0.hasPrefix("speech_generator.") }), let generator = configuration.generator {
                _ = SpeechGenerator(parameters, configuration, generator)
            }
            return LyraModel.isIgnored
        }
        for (adapter, folder) in location.adapters.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            look("adapter \(adapter.rawValue)", folder, { try WeightFiles.openAdapter(folder) }) { parameters, _ in
                let settings = try AdapterConfiguration.load(folder + "/adapter_config.json")
                var decoder = Decoder(Parameters(nil), configuration)
                decoder.attach(adapter, parameters, prefix: "base_model.model.", rank: settings.rank, scale: settings.scale)
                return { _ in false }
            }
            guard WeightFiles.trainables(folder) != nil else { continue }
            look("projector \(adapter.rawValue)", folder, { try WeightFiles.openTrainables(folder) }) { parameters, _ in
                _ = SpeechProjector(parameters, configuration, prefix: "model.")
                return { _ in true }
            }
        }
        if let folder = location.vision {
            look("vision tower", folder, { try WeightFiles.open(folder) }) { parameters, source in
                let prefix = VisionTransformer.prefix(in: source)
                _ = VisionTransformer(parameters, try VisionConfiguration.load(folder + "/config.json"), prefix: prefix)
                return { !prefix.isEmpty && !$0.hasPrefix(prefix) }
            }
        }
        if let folder = location.speech {
            look("speech tower", folder, { try WeightFiles.open(folder) }) { parameters, source in
                let settings = try WhisperConfiguration.load(folder + "/config.json")
                _ = WhisperEncoder(parameters, settings, prefix: WhisperEncoder.prefix(in: source))
                return { $0.contains("decoder.") || $0.hasPrefix("proj_out") }
            }
        }
        if let folder = location.vocoder {
            look("vocoder", folder, { try WeightFiles.openVocoder(folder) }) { parameters, _ in
                _ = Vocoder(parameters, try VocoderConfiguration.load(folder + "/config.json"))
                return { _ in false }
            }
        }
    }

    /// One file by itself: safetensors, or a torch archive. Nothing is known of what it should hold.
    public init(file path: String) throws {
        let source = path.hasSuffix(".safetensors") ? try WeightFiles.openFile(path) : try WeightFiles.openTorch(path)
        parts = [
            Part(name: (path as NSString).lastPathComponent, path: path, source: source, requests: [], problems: [])
        ]
    }

    /// Builds a part's networks against the shapes on disk; `build` returns which further tensors are to be expected.
    private mutating func look(
        _ name: String, _ path: String, _ open: () throws -> (any TensorSource)?,
        build: (Parameters, any TensorSource) throws -> (String) -> Bool
    ) {
        do {
            guard let source = try open() else { return }
            // Adapters lie in folders without a configuration of weights.
            let quantization = try Quantization.load(path)
            let parameters = Parameters(ShapesOnly(source: source), quantization: quantization)
            var problems: [CheckpointError.Problem] = []
            do {
                let isKnown = try build(parameters, source)
                try parameters.finish(isKnown: isKnown)
            } catch let error as CheckpointError {
                problems = error.problems
            } catch {
                failures.append("\(name): \(error.localizedDescription)")
            }
            parts.append(Part(name: name, path: path, source: source, requests: parameters.requests, problems: problems, quantization: quantization))
        } catch {
            failures.append("\(name): \(error.localizedDescription)")
        }
    }
}

/// A source that knows what there is but gives out empty arrays.
private struct ShapesOnly: TensorSource {
    let source: any TensorSource
    func describe(_ name: String) -> (shape: [Int], dtype: DType)? { source.describe(name) }
    func array(_ name: String) throws -> MLXArray { MLXArray.zeros([0]) }
    var names: [String] { source.names }
    var origin: String { source.origin }
}

/// Counts values that are no numbers, from their bits.
enum FiniteScan {
    static func count(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> (nan: Int, infinite: Int) {
        switch dtype {
        case .bfloat16: count(bytes.bindMemory(to: UInt16.self), exponent: 0x7F80, mantissa: 0x007F)
        case .float16: count(bytes.bindMemory(to: UInt16.self), exponent: 0x7C00, mantissa: 0x03FF)
        case .float32: count(bytes.bindMemory(to: UInt32.self), exponent: 0x7F80_0000, mantissa: 0x007F_FFFF)
        case .float64:
            count(bytes.bindMemory(to: UInt64.self), exponent: 0x7FF0_0000_0000_0000, mantissa: 0x000F_FFFF_FFFF_FFFF)
        default: (0, 0)
        }
    }

    private static func count<Bits: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafeBufferPointer<Bits>, exponent: Bits, mantissa: Bits
    ) -> (nan: Int, infinite: Int) {
        var special = 0
        for value in values where value & exponent == exponent { special &+= 1 }
        guard special > 0 else { return (0, 0) }
        let nan = values.count { $0 & exponent == exponent && $0 & mantissa != 0 }
        return (nan, special - nan)
    }
}
