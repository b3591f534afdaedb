import Foundation
@testable import LyraModel
@testable import LyraTraining
import MLX
import Testing

@Suite struct AdapterFilesTests {
    /// The adapter that PEFT and the original wrote.
    private func original(_ adapter: Adapter) throws -> (files: AdapterFiles, folder: String) {
        let (location, _) = try ModelLocation.resolve(DataPack.committed.folder)
        let folder = try #require(location.adapters[adapter])
        var arrays: [String: MLXArray] = [:]
        for source in [try WeightFiles.openAdapter(folder), try #require(try WeightFiles.openTrainables(folder))] {
            for name in source.names { arrays[name] = try source.array(name) }
        }
        return (AdapterFiles(arrays, configuration: try .load(folder + "/adapter_config.json")), folder)
    }

    private func same(_ a: any TensorSource, _ b: any TensorSource) throws {
        #expect(a.names.sorted() == b.names.sorted())
        for name in a.names { #expect(try a.array(name).asType(.float32).asArray(Float.self) == b.array(name).asType(.float32).asArray(Float.self)) }
    }

    @Test(arguments: [true, false]) func whatIsReadIsWritten(releaseLayout: Bool) throws {
        let folder = try DataFolder()
        let (files, source) = try original(.speech)
        let path = folder.file("speech_lora")
        try files.write(to: path, releaseLayout: releaseLayout)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
                "adapter_config.json", "adapter_model.safetensors", "non_lora_trainables.\(releaseLayout ? "bin" : "safetensors")",
            ])
        try same(WeightFiles.openAdapter(path), WeightFiles.openAdapter(source))
        try same(#require(try WeightFiles.openTrainables(path)), #require(try WeightFiles.openTrainables(source)))
        let written = try AdapterConfiguration.load(path + "/adapter_config.json")
        #expect(written == files.configuration)
        #expect((written.rank, written.alpha, written.dropout) == (4, 10, 0.05))
        // PEFT's own file of weights, byte for byte.
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path + "/adapter_model.safetensors"))
        #expect(try bytes == Data(contentsOf: URL(fileURLWithPath: source + "/adapter_model.safetensors")))
        let keys = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path + "/adapter_config.json"))) as? [String: Any])
        for key in ["peft_type", "task_type", "base_model_name_or_path", "inference_mode", "r", "lora_alpha", "lora_dropout", "target_modules", "bias"] {
            #expect(keys[key] != nil, "\(key)")
        }
    }

    @Test func otherTypes() throws {
        let folder = try DataFolder()
        let (files, _) = try original(.longSpeech)
        try files.write(to: folder.file("a"), dtype: .float32)
        let source = try WeightFiles.openAdapter(folder.file("a"))
        for name in source.names { #expect(source.describe(name)?.dtype == .float32) }
    }

    @Test func anOldOneIsReplacedAtOnce() throws {
        let folder = try DataFolder()
        let path = folder.file("speech_lora")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try folder.write("speech_lora/old.txt", "old")
        // What a run that was killed has left.
        try FileManager.default.createDirectory(atPath: folder.file(".speech_lora.partial"), withIntermediateDirectories: true)
        try folder.write(".speech_lora.partial/half.safetensors", "half")
        try original(.speech).files.write(to: path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["speech_lora"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).count == 3)
        // A failure leaves the old one as it was.
        var broken = try original(.speech).files
        broken.configuration = AdapterConfiguration(rank: 4, alpha: .nan)
        #expect(throws: (any Error).self) { try broken.write(to: path) }
        #expect(try AdapterConfiguration.load(path + "/adapter_config.json").alpha == 10)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["speech_lora"])
    }

    /// A reader that looks all the time never finds anything but a whole adapter.
    @Test func readersFindWholeFolders() async throws {
        let folder = try DataFolder()
        let path = folder.file("a")
        try original(.speech).files.write(to: path)
        let writer = Task.detached {
            for _ in 0..<40 { try self.original(.speech).files.write(to: path) }
        }
        var looks = 0
        while looks < 200 {
            #expect(try FileManager.default.contentsOfDirectory(atPath: path).count == 3)
            looks += 1
            await Task.yield()
        }
        try await writer.value
    }
}
