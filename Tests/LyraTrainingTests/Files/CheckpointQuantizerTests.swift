// Quantised copies of checkpoints.
import Foundation
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct CheckpointQuantizerTests {
    private let ids: [Int32] = [5, 80, 3, 44, 210, 7, 7, 99]

    private func open(_ folder: String, _ precision: Precision = .f32) throws -> LyraModel {
        let (location, configuration) = try ModelLocation.resolve(folder)
        return try LyraModel(location, configuration, precision: precision)
    }

    private func logits(_ model: LyraModel, _ adapter: Adapter? = nil) throws -> [Float] {
        var positions = Positions(startingAt: 0)
        positions.appendRun(ids.count)
        var state = model.decoder.newState()
        let input = Decoder.Input(
            embeddings: model.decoder.embed(ids), positions: positions, isContext: ids.map { _ in false })
        let hidden = try model.decoder(input, state: &state, adapter: adapter, allRows: true).hidden
        return model.decoder.logits(hidden).asArray(Float.self)
    }

    private func frames(_ model: LyraModel) throws -> [Float] {
        let sound = (0..<48_000).map { sin(Float($0) * 0.05) * 0.3 }
        return try model.encodeWindow(model.logMel(sound)).asType(.float32).asArray(Float.self)
    }

    /// Length of the difference as a share of the length.
    private func error(_ a: [Float], _ b: [Float]) -> Float {
        guard a.count == b.count else { return .infinity }
        let difference = zip(a, b).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    private func make(_ folder: DataFolder, shards: Int? = nil) throws -> (location: ModelLocation, configuration: LyraConfiguration) {
        let root = folder.file("plain")
        try RandomCheckpoint.write(preset: .tiny, seed: 5, to: root, dtype: .float32, maximumShardBytes: shards)
        return try ModelLocation.resolve(root)
    }

    private func quantizer(_ bits: Int) -> CheckpointQuantizer {
        let setting = Quantization.Setting(groupSize: 32, bits: bits)
        var quantizer = CheckpointQuantizer(setting)
        (quantizer.vision, quantizer.speech) = (setting, setting)
        return quantizer
    }

    @Test func copiesComeCloseAndFewerBitsLess() throws {
        let folder = try DataFolder()
        let (location, configuration) = try make(folder)
        let plain = try open(location.model)
        var errors: [Int: (logits: Float, adapted: Float, speech: Float)] = [:]
        for bits in [4, 8] {
            let out = folder.file("\(bits)")
            var shares: [Double] = []
            let summary = try quantizer(bits).write(location, configuration, to: out) { shares.append($0) }
            // 4 layers of 7 matrices but those of width 176, table, projector; 2 layers of 6 in either tower, and the merger.
            #expect(summary.layers > 40 && summary.layers < summary.candidates)
            #expect(shares == shares.sorted() && shares.last == 1)
            let copy = try open(out)
            #expect(copy.adapters == Set(Adapter.allCases) && copy.hasVision && copy.hasSpeech)
            #expect(throws: Never.self) { try copy.vocoder() }
            errors[bits] = (
                error(try logits(copy), try logits(plain)), error(try logits(copy, .speech), try logits(plain, .speech)),
                error(try frames(copy), try frames(plain))
            )
            guard case .quantized = copy.decoder.embedding.weight else {
                Issue.record("the table is plain")
                continue
            }
        }
        print("relative errors of quantised copies of a random model: \(errors)")
        let four = try #require(errors[4]), eight = try #require(errors[8])
        for (a, b) in [(eight.logits, four.logits), (eight.adapted, four.adapted), (eight.speech, four.speech)] {
            #expect(a > 0 && a < 0.03 && a < b && b < 0.5)
        }
    }

    /// Training writes adapters in float32, which is more than the weights under them have.
    @Test func adaptersTakeTheTypeOfTheWeights() throws {
        let folder = try DataFolder(), root = folder.file("plain")
        try RandomCheckpoint.write(preset: .tiny, seed: 5, to: root, dtype: .bfloat16)
        let (location, configuration) = try ModelLocation.resolve(root)
        let file = try #require(location.adapters[.speech]) + "/adapter_model.safetensors", stored = try SafetensorsFile(URL(fileURLWithPath: file))
        let trained = Dictionary(uniqueKeysWithValues: try stored.names.map { ($0, (try stored.array(named: $0)).asType(.float32) * 1.003) })
        eval(Array(trained.values))
        try SafetensorsWriter.save(trained, metadata: ["format": "pt"], to: URL(fileURLWithPath: file))
        let out = folder.file("8")
        _ = try quantizer(8).write(location, configuration, to: out)
        let copy = try SafetensorsFile(URL(fileURLWithPath: out + "/speech_lora/adapter_model.safetensors"))
        #expect(copy.names == stored.names)
        for name in copy.names {
            let array = try copy.array(named: name), expected = try #require(trained[name])
            #expect(array.dtype == .bfloat16 && array.asType(.float32).asArray(Float.self) == expected.asType(.bfloat16).asType(.float32).asArray(Float.self))
        }
        let other = "/adapter_model.safetensors"
        #expect(try Data(contentsOf: URL(fileURLWithPath: out + "/long_speech_lora" + other)) == Data(contentsOf: URL(fileURLWithPath: try #require(location.adapters[.longSpeech]) + other)))
    }

    /// Products of few rows round activations to 16 bits, 2^-16 of the largest of a group, at each of a model's some thirty
    /// products in a row: 8e-5 if errors add like random ones.
    private static let rounding: Float = 1.5e-4

    /// The quantised copy computes what a plain checkpoint of the same, rounded, weights computes.
    @Test func aCopyEqualsItsWeightsWrittenOut() throws {
        let folder = try DataFolder()
        let (location, configuration) = try make(folder)
        let out = folder.file("4")
        _ = try quantizer(4).write(location, configuration, to: out)
        let quantization = try #require(try Quantization.load(out))
        let stored = try WeightFiles.open(out)
        var values: [String: MLXArray] = [:]
        for name in stored.names where name.hasSuffix(".scales") {
            let layer = String(name.dropLast(".scales".count)), setting = quantization.setting(layer)
            let packed = QuantizedMatrix(
                weight: try stored.array(layer + ".weight"), scales: try stored.array(name), biases: try stored.array(layer + ".biases"),
                groupSize: setting.groupSize, bits: setting.bits)
            values[layer + ".weight"] = Kernel.dequantize(packed, to: .float32)
        }
        let written = folder.file("written")
        var writer = CheckpointWriter(location, configuration)
        writer.keepsAdapters = true
        try writer.write(to: written, replacing: [.model: values])
        let copy = try open(out), reference = try open(written)
        for adapter in [nil, Adapter.speech, .longSpeech] {
            let difference = error(try logits(copy, adapter), try logits(reference, adapter))
            #expect(difference < Self.rounding, "\(difference)")
        }
        let hidden = MLXArray((0..<(3 * configuration.hiddenSize)).map { sin(Float($0)) }, [3, configuration.hiddenSize])
        var a = try copy.speechGenerator().newState(), b = a
        let ours = try copy.speechGenerator().logits(hidden, state: &a).asArray(Float.self)
        #expect(error(ours, try reference.speechGenerator().logits(hidden, state: &b).asArray(Float.self)) < Self.rounding)
    }

    @Test func shardsStayShardsAndPatternsKeepLayers() throws {
        let folder = try DataFolder()
        let (location, configuration) = try make(folder, shards: 200_000)
        var quantizer = quantizer(8)
        quantizer.kept = ["model/model.embed_tokens", "*.down_proj", "vision/*"]
        quantizer.generator = .init(groupSize: 32, bits: 4)
        let out = folder.file("out")
        _ = try quantizer.write(location, configuration, to: out)
        #expect(FileManager.default.fileExists(atPath: out + "/model.safetensors.index.json"))
        let source = try WeightFiles.open(out)
        #expect(source.describe("model.embed_tokens.weight")?.dtype == .float32)
        #expect(source.describe("model.layers.0.self_attn.q_proj.weight")?.dtype == .uint32)
        #expect(!source.names.contains { $0.hasSuffix("down_proj.scales") })
        let (copy, _) = try ModelLocation.resolve(out)
        #expect(try Quantization.load(try #require(copy.vision)) == nil)
        #expect(try Quantization.load(try #require(copy.speech))?.all == .init(groupSize: 32, bits: 8))
        let plain = try open(location.model), quantised = try open(out)
        #expect(error(try logits(quantised), try logits(plain)) < 0.03)
    }

    @Test func int8IsAPrecisionOfPlainAndQuantisedWeights() throws {
        let folder = try DataFolder()
        let (location, configuration) = try make(folder)
        let out = folder.file("8")
        _ = try quantizer(8).write(location, configuration, to: out)
        let plain = try open(location.model), reference = try logits(plain)
        for path in [location.model, out] {
            let model = try open(path, .int8)
            let found = error(try logits(model), reference), speech = error(try frames(model), try frames(plain))
            print("int8, \(path == out ? "8-bit" : "plain") weights of a random model: logits off by \(found), encoder by \(speech)")
            #expect(found > 0 && found < 0.1)
            #expect(speech > 0 && speech < 0.1)
        }
    }

    @Test func whatCannotBeQuantisedIsAnError() throws {
        let folder = try DataFolder()
        let (location, configuration) = try make(folder)
        let out = folder.file("out")
        var wrong = quantizer(4)
        wrong.kept = ["model/no.such.layer"]
        #expect(throws: QuantizationError.self) { try wrong.write(location, configuration, to: out) }
        var nothing = CheckpointQuantizer(nil)
        nothing.keepsGenerator = true
        #expect(throws: QuantizationError.self) { try nothing.write(location, configuration, to: out) }
        struct Stop: Error {}
        #expect(throws: Stop.self) { try quantizer(4).write(location, configuration, to: out) { if $0 > 0.5 { throw Stop() } } }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["plain"])
        _ = try quantizer(4).write(location, configuration, to: out)
        #expect(throws: FolderError.self) { try quantizer(4).write(location, configuration, to: out) }
        let (copy, _) = try ModelLocation.resolve(out)
        #expect(throws: QuantizationError.self) { try quantizer(4).write(copy, configuration, to: folder.file("twice")) }
        #expect(throws: QuantizationError.self) {
            try AdapterMerge.write(copy, configuration, adapter: try #require(copy.adapters[.speech]), to: folder.file("merged"))
        }
        #expect(throws: TrainingError.self) {
            _ = try TrainingWeights(copy, configuration, precision: .f32, adapter: nil, seed: 0, isTrainable: { _ in true })
        }
    }
}
