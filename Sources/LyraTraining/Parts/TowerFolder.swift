// Folders of encoders: their weights for training, and the same folder with weights that have been trained.
import Foundation
import LyraModel
import MLX

enum TowerFolder {
    /// Float32 weights of the network that `build` asks for, without the prefix they have in the folder.
    static func weights(
        _ folder: String, prefix: (any TensorSource) -> String, build: (Parameters) -> Void
    ) throws -> [String: MLXArray] {
        let source = try WeightFiles.open(folder), prefix = prefix(source)
        let recorder = Parameters(nil)
        build(recorder)
        var weights: [String: MLXArray] = [:]
        for request in recorder.requests { weights[request.name] = try source.array(prefix + request.name).asType(.float32) + Float(0) }
        return weights
    }

    /// A copy of the folder with these weights, in the types they are stored in there.
    static func write(
        _ weights: [String: MLXArray], like folder: String, prefix: (any TensorSource) -> String, to place: String
    ) throws {
        let target = try AtomicFolder(place)
        do {
            let source = try WeightFiles.open(folder), prefix = prefix(source)
            var tensors: [String: MLXArray] = [:]
            for name in source.names {
                let own = name.hasPrefix(prefix) ? weights[String(name.dropFirst(prefix.count))] : nil
                let stored = try source.array(name)
                tensors[name] = own?.asType(stored.dtype) ?? stored
            }
            try SafetensorsWriter.save(tensors, metadata: ["format": "pt"], to: URL(fileURLWithPath: target.temporary + "/model.safetensors"))
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".json") && !name.hasSuffix(".index.json") {
                try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(target.temporary)/\(name)")
            }
            try target.commit(replacing: true)
        } catch {
            target.abandon()
            throw error
        }
    }
}
