// Checkpoints that lie, lack or break: an error that says what and where, never a crash or a huge allocation.
import Foundation
@testable import Lyra
@testable import LyraModel
import MLX
import Testing

@Suite(.serialized) struct HostileCheckpointTests {
    /// A copy of the reference checkpoint to damage; removed at the end.
    final class Copy {
        let root = NSTemporaryDirectory() + "hostile-\(UUID().uuidString)"
        var model: String { root + "/work_dirs/Lyra_Small_tiny" }
        init() throws {
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            for part in ["work_dirs", "model_zoo"] {
                try FileManager.default.copyItem(atPath: "\(Fixture.pack)/\(part)", toPath: "\(root)/\(part)")
            }
        }
        deinit { try? FileManager.default.removeItem(atPath: root) }

        func edit(_ path: String, _ change: (inout Data) -> Void) throws {
            let url = URL(fileURLWithPath: "\(root)/\(path)")
            var data = try Data(contentsOf: url)
            change(&data)
            try data.write(to: url)
        }

        func editConfig(_ path: String, _ key: String, _ value: Any) throws {
            try edit(path) { data in
                guard var object = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] else { return }
                object[key] = value
                data = (try? JSONSerialization.data(withJSONObject: object)) ?? data
            }
        }

        /// Rewrites a safetensors file with other tensors.
        func editTensors(_ path: String, _ change: (inout [String: MLXArray]) -> Void) throws {
            let url = URL(fileURLWithPath: "\(root)/\(path)")
            let file = try SafetensorsFile(url)
            var arrays: [String: MLXArray] = [:]
            for name in file.names { arrays[name] = try file.array(named: name) }
            change(&arrays)
            try SafetensorsWriter.save(arrays, to: url)
        }

        func open() async throws -> Lyra {
            var options = LyraOptions()
            options.precision = .f32
            return try await Lyra.open(model, options: options)
        }

        /// The message with which opening, or a first reply, fails.
        func failure(speaks: Bool = false) async -> String? {
            do {
                var options = ReplyOptions()
                options.maximumTokens = 3
                options.speaks = speaks
                _ = try await open().conversation().respond(
                    to: [.image(Fixture.input("img2.png")), .speech(Fixture.input("greeting.wav"))], options: options)
                return nil
            } catch {
                return error.localizedDescription
            }
        }
    }

    static let config = "work_dirs/Lyra_Small_tiny/config.json"
    static let weights = "work_dirs/Lyra_Small_tiny/model.safetensors"

    @Test func anUntouchedCopyWorks() async throws {
        #expect(try await Copy().failure(speaks: true) == nil)
    }

    @Test(arguments: [
        ("hidden_size", 1 << 40), ("hidden_size", -48), ("hidden_size", 0), ("num_hidden_layers", 1 << 30), ("vocab_size", 1 << 50),
        ("num_attention_heads", 7), ("num_attention_heads", 0), ("num_key_value_heads", 0), ("intermediate_size", -1),
        ("speech_encoder_ds_rate", 0), ("rms_norm_eps", 0), ("rope_theta", -1),
    ]) func absurdSizesAreRefused(key: String, value: Int) async throws {
        let copy = try Copy()
        try copy.editConfig(Self.config, key, value)
        let message = try #require(await copy.failure())
        #expect(message.contains("configuration") || message.contains("fit"), "\(message)")
    }

    @Test(arguments: [
        ("rope_scaling", ["mrope_section": [1, 2, 3]] as [String: [Int]]), ("rope_scaling", ["mrope_section": [Int.max, Int.max, 14]]),
        ("rope_scaling", ["mrope_section": []]),
    ]) func wrongSectionsAreRefused(key: String, value: [String: [Int]]) async throws {
        let copy = try Copy()
        try copy.editConfig(Self.config, key, value)
        #expect(try #require(await copy.failure()).contains("mrope_section"))
    }

    @Test(arguments: ["(2,40,5)", "(0,40,5,96)", "(2,40,7,96)", "(999999999999999999999,1,1,1)", "nonsense", ""])
    func wrongGeneratorSizesAreRefused(value: String) async throws {
        let copy = try Copy()
        try copy.editConfig(Self.config, "ctc_decoder_config", value)
        #expect(try #require(await copy.failure(speaks: true)).contains("ctc_decoder_config"))
    }

    @Test func everyMissingMisshapenAndUnknownTensorIsListedAtOnce() async throws {
        let copy = try Copy()
        try copy.editTensors(Self.weights) { arrays in
            arrays["model.layers.1.mlp.up_proj.weight"] = nil
            arrays["model.norm.weight"] = MLXArray.zeros([7])
            arrays["model.layers.0.self_attn.q_proj.bias"] = MLXArray.zeros([48], dtype: .int32)
            arrays["model.surprise.weight"] = MLXArray.zeros([1])
        }
        let message = try #require(await copy.failure())
        for part in [
            "missing: model.layers.1.mlp.up_proj.weight", "model.norm.weight is [7], expected [48]",
            "unusable: model.layers.0.self_attn.q_proj.bias", "unexpected: model.surprise.weight", "4 tensors",
        ] { #expect(message.contains(part), "\(message)") }
    }

    @Test func weightsThatAreNotNumbersAreNoticedWhenUsed() async throws {
        let copy = try Copy()
        try copy.editTensors(Self.weights) { $0["model.norm.weight"] = MLXArray.full([48], values: MLXArray(Float.nan)) }
        #expect(try #require(await copy.failure()).contains("NaN"))
    }

    @Test(arguments: [0, 7, 8, 100, 20_000, 1_000_000]) func truncatedWeightsAreRefused(bytes: Int) async throws {
        let copy = try Copy()
        try copy.edit(Self.weights) { $0 = $0.prefix(bytes) }
        #expect(try #require(await copy.failure()).contains("model.safetensors"))
    }

    @Test(arguments: ["vocoder/g_00500000", "vocoder/config.json", "whisper-tiny-random/model.safetensors", "whisper-tiny-random/config.json"])
    func damagedPartsAreNamed(part: String) async throws {
        let copy = try Copy()
        try copy.edit("model_zoo/audio/\(part)") { $0 = $0.prefix($0.count / 2) }
        let message = try #require(await copy.failure(speaks: true))
        #expect(message.contains(part.split(separator: "/").last.map(String.init) ?? part), "\(message)")
    }

    @Test func aMissingTowerIsNamedWithTheOptionThatHelps() async throws {
        let copy = try Copy()
        try FileManager.default.removeItem(atPath: copy.root + "/model_zoo/vision")
        let message = try #require(await copy.failure())
        #expect(message.contains("vision tower") && message.contains("--vision-tower"))
        // Without pictures the model works all the same.
        var options = ReplyOptions()
        options.maximumTokens = 2
        _ = try await copy.open().conversation().respond(to: [.text("Hello")], options: options)
    }

    @Test(arguments: [("r", 5), ("r", 0), ("r", 1 << 40)]) func wrongAdapterRanksAreRefused(key: String, value: Int) async throws {
        let copy = try Copy()
        try copy.editConfig("work_dirs/Lyra_Small_tiny/speech_lora/adapter_config.json", key, value)
        #expect(await copy.failure() != nil)
    }

    @Test func adapterSettingsThatChangeTheNumbersAreNotIgnored() async throws {
        let copy = try Copy()
        try copy.editConfig("work_dirs/Lyra_Small_tiny/speech_lora/adapter_config.json", "use_dora", true)
        #expect(try #require(await copy.failure()).contains("use_dora"))
    }

    @Test func whatIsNoCheckpointIsSaidSo() async throws {
        await #expect(throws: ModelLocationError.self) { _ = try await Lyra.open("/nonexistent") }
        await #expect(throws: ModelLocationError.self) { _ = try await Lyra.open(Fixture.pack + "/inputs") }
        await #expect(throws: ModelLocationError.self) { _ = try await Lyra.open(Fixture.pack + "/expected.json") }
    }
}
