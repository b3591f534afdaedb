import Foundation
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct CheckpointWriterTests {
    private func open(_ folder: String) throws -> LyraModel {
        let (location, configuration) = try ModelLocation.resolve(folder)
        return try LyraModel(location, configuration, precision: .f32)
    }

    /// Logits of some tokens.
    private func logits(_ model: LyraModel, _ adapter: Adapter?) throws -> [Float] {
        let ids: [Int32] = [5, 80, 3, 44, 210, 7, 7, 99]
        var positions = Positions(startingAt: 0)
        positions.appendRun(ids.count)
        var state = model.decoder.newState()
        let input = Decoder.Input(
            embeddings: model.decoder.embed(ids), positions: positions, isContext: ids.map { _ in false })
        let hidden = try model.decoder(input, state: &state, adapter: adapter, allRows: true).hidden
        return model.decoder.logits(hidden).asArray(Float.self)
    }

    /// Speech tokens of some encoder frames.
    private func projected(_ model: LyraModel, _ adapter: Adapter?) -> [Float] {
        let width = model.configuration.speechHiddenSize
        let frames = MLXArray((0..<20 * width).map { sin(Float($0) * 0.37) }, [1, 20, width])
        return model.project(frames, adapter: adapter).asArray(Float.self)
    }

    private func distance(_ a: [Float], _ b: [Float]) -> Float {
        a.count == b.count ? zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } : .infinity
    }

    // MARK: Merging

    @Test(arguments: DataPack.available, Adapter.allCases) func mergedDoesWhatTheAdapterDoes(pack: DataPack, adapter: Adapter) throws {
        let folder = try DataFolder()
        let (location, configuration) = try ModelLocation.resolve(pack.folder)
        let out = folder.file("merged")
        let source = try #require(location.adapters[adapter])
        try AdapterMerge.write(location, configuration, adapter: source, to: out, dtype: .float32)
        let base = try open(pack.folder), merged = try open(out)
        let expected = try logits(base, adapter)
        #expect(distance(expected, try logits(base, nil)) > 0.05)
        #expect(distance(expected, try logits(merged, nil)) < 1e-4)
        #expect(distance(projected(base, adapter), projected(merged, nil)) < 1e-5)
        #expect(merged.adapters.isEmpty)
        // Far from the release's folders: what belongs to the model has come along.
        #expect(merged.hasVision && merged.hasSpeech)
        #expect(throws: Never.self) { try merged.vocoder() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["merged"])
        for name in ["tokenizer_config.json", "generation_config.json", "config.json"] {
            #expect(FileManager.default.fileExists(atPath: "\(out)/\(name)"))
        }
        // In the base's type: the same sums, rounded.
        let rounded = folder.file("rounded")
        try AdapterMerge.write(location, configuration, adapter: source, to: rounded)
        let exact = try WeightFiles.open(out), stored = try WeightFiles.open(rounded), old = try WeightFiles.open(location.model)
        for name in stored.names {
            let type = try #require(old.describe(name)).dtype
            #expect(stored.describe(name)?.dtype == type)
            let values = try exact.array(name).asType(type).asType(.float32).asArray(Float.self)
            #expect(try stored.array(name).asType(.float32).asArray(Float.self) == values, "\(name)")
        }
    }

    @Test func shardsStayShards() throws {
        let folder = try DataFolder()
        let model = try RandomCheckpoint.write(preset: .tiny, seed: 4, to: folder.file("release"), dtype: .float32, maximumShardBytes: 200_000)
        let (location, configuration) = try ModelLocation.resolve(model)
        // Beside the base: towers and vocoder are found where they are, and not copied.
        let out = folder.file("release/work_dirs/merged")
        try AdapterMerge.write(location, configuration, adapter: #require(location.adapters[.speech]), to: out)
        func shards(_ folder: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains("safetensors") }.sorted()
        }
        #expect(try shards(out).count > 3)
        #expect(try shards(out) == shards(model))
        #expect(!FileManager.default.fileExists(atPath: out + "/model_zoo"))
        #expect(distance(try logits(open(model), .speech), try logits(open(out), nil)) < 1e-4)
    }

    @Test func whatCannotBeMerged() throws {
        let folder = try DataFolder()
        let (location, configuration) = try ModelLocation.resolve(DataPack.committed.folder)
        let adapter = try #require(location.adapters[.speech])
        let out = folder.file("out")
        func error(_ adapter: String) -> String {
            do { try AdapterMerge.write(location, configuration, adapter: adapter, to: out) } catch { return error.localizedDescription }
            return "merged"
        }
        // Something is there already.
        try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        #expect(error(adapter).contains("exists already"))
        try FileManager.default.removeItem(atPath: out)
        // An adapter of another model.
        let other = try RandomCheckpoint.write(preset: .tiny, seed: 1, to: folder.file("tiny"))
        #expect(error(other + "/speech_lora").contains("does not fit"))
        // One with half of a pair.
        let half = folder.file("half")
        try FileManager.default.copyItem(atPath: adapter, toPath: half)
        let file = try SafetensorsFile(URL(fileURLWithPath: adapter + "/adapter_model.safetensors"))
        var arrays = Dictionary(uniqueKeysWithValues: try file.names.map { ($0, try file.array(named: $0)) })
        arrays["base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"] = nil
        try SafetensorsWriter.save(arrays, to: URL(fileURLWithPath: half + "/adapter_model.safetensors"))
        #expect(error(half).contains("missing: base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"))
        // Stopped in the middle: nothing is left.
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try AdapterMerge.write(location, configuration, adapter: adapter, to: out) { if $0 > 0.5 { throw Stop() } }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["half", "tiny"])
    }

    // MARK: Replacing

    @Test func tensorsAreReplacedInTheirParts() throws {
        let folder = try DataFolder()
        let (location, configuration) = try ModelLocation.resolve(DataPack.committed.folder)
        let out = folder.file("trained")
        func filled(_ source: any TensorSource, _ name: String, _ value: Float) throws -> MLXArray {
            MLXArray.zeros(try #require(source.describe(name)).shape) + value
        }
        let model = try WeightFiles.open(location.model), vision = try WeightFiles.open(#require(location.vision))
        let whisper = try WeightFiles.open(#require(location.speech))
        let visionName = "blocks.0.mlp.fc1.bias", whisperName = "layers.0.fc1.bias"
        let prefixes = (VisionTransformer.prefix(in: vision), WhisperEncoder.prefix(in: whisper))
        var writer = CheckpointWriter(location, configuration)
        writer.adapters[.speech] = AdapterFiles(
            ["base_model.model.model.layers.0.mlp.up_proj.lora_A.weight": MLXArray.zeros([2, 48]),
             "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight": MLXArray.zeros([112, 2])],
            configuration: AdapterConfiguration(rank: 2, alpha: 4))
        writer.keepsAdapters = true
        var last = 0.0
        try writer.write(
            to: out,
            replacing: [
                .model: [
                    "model.norm.weight": filled(model, "model.norm.weight", 0.5),
                    "model.mm_speech_projector.linear2.bias": filled(model, "model.mm_speech_projector.linear2.bias", 2),
                ],
                .vision: [visionName: filled(vision, prefixes.0 + visionName, 3)],
                .whisper: [whisperName: filled(whisper, prefixes.1 + whisperName, 4)],
            ]
        ) { last = $0 }
        #expect(last == 1)
        let (place, read) = try ModelLocation.resolve(out)
        #expect(read == configuration)
        #expect(place.vision?.hasPrefix(out) == true && place.speech?.hasPrefix(out) == true)
        let towers = (vision: try #require(place.vision), speech: try #require(place.speech))
        for (old, path, changed) in [
            (model, place.model, ["model.norm.weight": Float(0.5), "model.mm_speech_projector.linear2.bias": 2]),
            (vision, towers.vision, [prefixes.0 + visionName: 3]),
            (whisper, towers.speech, [prefixes.1 + whisperName: 4]),
        ] {
            let new = try WeightFiles.open(path)
            #expect(new.names.sorted() == old.names.sorted())
            for name in new.names {
                #expect(new.describe(name)?.dtype == old.describe(name)?.dtype)
                let values = try new.array(name).asType(.float32).asArray(Float.self)
                if let value = changed[name] {
                    #expect(values.allSatisfy { $0 == value }, "\(name)")
                } else {
                    #expect(try values == old.array(name).asType(.float32).asArray(Float.self), "\(name)")
                }
            }
        }
        #expect(try AdapterConfiguration.load(out + "/speech_lora/adapter_config.json").rank == 2)
        let longSpeech = "/long_speech_lora/adapter_config.json"
        #expect(try AdapterConfiguration.load(out + longSpeech) == .load(location.model + longSpeech))
        #expect(throws: Never.self) { try open(out) }
        // Keys that this package does not know are still there.
        let config = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: out + "/config.json"))) as? [String: Any])
        #expect(config["image_aspect_ratio"] as? String == "qwen2vl")
        #expect(config["rms_norm_eps"] as? Double == 1e-6)
        #expect(throws: FolderError.exists(out)) { try writer.write(to: out, replacing: [:]) }
    }

    /// A speech generator for a model that had none.
    @Test func newTensorsAreAdded() throws {
        let folder = try DataFolder()
        let whole = try RandomCheckpoint.write(preset: .tiny, seed: 2, to: folder.file("release"), dtype: .float32, maximumShardBytes: 300_000)
        let source = try ShardedSafetensors(directory: URL(fileURLWithPath: whole))
        let names = source.names.filter { $0.hasPrefix("speech_generator.") }
        #expect(!names.isEmpty)
        let generator = Dictionary(uniqueKeysWithValues: try names.map { ($0, try source.array(named: $0)) })
        // The base without it.
        let bare = folder.file("release/work_dirs/bare")
        try FileManager.default.createDirectory(atPath: bare, withIntermediateDirectories: true)
        let rest = Dictionary(uniqueKeysWithValues: try source.names.filter { generator[$0] == nil }.map { ($0, try source.array(named: $0)) })
        try SafetensorsWriter.save(rest, to: URL(fileURLWithPath: bare + "/model.safetensors"))
        var config = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: whole + "/config.json"))) as? [String: Any])
        for key in ["ctc_decoder_config", "ctc_upsample_factor", "unit_vocab_size", "speech_generator_type"] { config[key] = nil }
        try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: bare + "/config.json"))
        let (location, bareConfiguration) = try ModelLocation.resolve(bare)
        #expect(bareConfiguration.generator == nil)
        let (_, configuration) = try ModelLocation.resolve(whole)
        let out = folder.file("release/work_dirs/out")
        try CheckpointWriter(location, configuration).write(to: out, replacing: [.model: generator])
        let model = try open(out)
        #expect(model.configuration == configuration)
        #expect(throws: Never.self) { try model.speechGenerator() }
        #expect(distance(try logits(open(whole), nil), try logits(model, nil)) == 0)
    }
}
