// Whole checkpoints: a copy of one with some tensors changed, written tensor by tensor.
import Foundation
import LyraModel
import MLX

/// Writes checkpoints that differ from another in some tensors.
///
/// The new folder is a model's folder, complete in itself: files of the base keep their names and shards, towers that have
/// changed lie in `model_zoo/` below it, and those that could not be found from the new place are copied there. It appears
/// under its name when it is complete.
public struct CheckpointWriter {
    public let base: ModelLocation
    public let configuration: LyraConfiguration
    /// Element type of the language model's file; nil: as the base has it, tensor by tensor.
    public var dtype: DType?
    /// Whether adapters of the base are copied. They fit the base's weights alone.
    public var keepsAdapters = false
    /// What float32 tensors of copied adapters become; nil: they stay.
    var adapterType: DType?
    /// Adapters that are written into the checkpoint.
    public var adapters: [Adapter: AdapterFiles] = [:]
    /// Writes projectors of adapters in the release's form.
    public var releaseLayout = false
    /// What is written of layers that are quantised, by part and name, and what `config.json` then says.
    var quantization: [ModelPart: Quantization] = [:]
    var quantized: [ModelPart: Set<String>] = [:]

    public init(_ base: ModelLocation, _ configuration: LyraConfiguration) {
        (self.base, self.configuration) = (base, configuration)
    }

    /// Writes the checkpoint with other values for some tensors, named as in ``TrainingWeights`` (towers without a prefix).
    /// Tensors that the base lacks (a new speech generator's) are added.
    ///
    /// - Parameter progress: share of all bytes written; may throw to stop.
    /// - Throws: ``FolderError`` if there is something at `folder`.
    public func write(
        to folder: String, replacing values: [ModelPart: [String: MLXArray]], progress: (Double) throws -> Void = { _ in }
    ) throws {
        try write(
            to: folder, changedTowers: [.vision, .whisper].filter { values[$0]?.isEmpty == false },
            added: values[.model] ?? [:], progress: progress
        ) { part, name, _ in values[part]?[name] }
    }

    /// - Parameters:
    ///   - added: tensors of the model; those that the base has go through `value` instead.
    ///   - value: what stands in for a tensor, nil for nothing; gets the stored one.
    func write(
        to folder: String, changedTowers: [ModelPart] = [], added: [String: MLXArray] = [:],
        progress: (Double) throws -> Void = { _ in },
        value: (ModelPart, String, () throws -> MLXArray) throws -> MLXArray?
    ) throws {
        guard !FileManager.default.fileExists(atPath: folder) else { throw FolderError.exists(folder) }
        let target = try AtomicFolder(folder)
        do {
            let towers = self.towers
            let model = try ShardedSafetensors(directory: URL(fileURLWithPath: base.model))
            var jobs = [Job(part: .model, weights: model, prefix: "", folder: target.temporary, dtype: dtype, added: added)]
            jobs[0].packing = packing(.model)
            for tower in towers where changedTowers.contains(tower.part) {
                let weights = try ShardedSafetensors(directory: URL(fileURLWithPath: tower.folder))
                let prefix = tower.part == .vision ? VisionTransformer.prefix(in: weights) : WhisperEncoder.prefix(in: weights)
                let place = "\(target.temporary)/\(tower.place)"
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                try Self.copyFiles(from: tower.folder, to: place, except: [])
                var job = Job(part: tower.part, weights: weights, prefix: prefix, folder: place, dtype: nil, added: [:])
                job.packing = packing(tower.part)
                jobs.append(job)
                if let settings = quantization[tower.part] {
                    let path = place + "/config.json"
                    let original = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any] ?? [:]
                    try writeJSON(original.merging(try Self.keys(settings)) { $1 }, to: path)
                }
            }
            let total = jobs.reduce(0) { $0 + $1.bytes }
            var done = 0
            for job in jobs {
                try job.write(value) { bytes in
                    done += bytes
                    try progress(Double(done) / Double(max(1, total)))
                }
            }
            try Self.copyFiles(from: base.model, to: target.temporary, except: ["config.json"])
            try writeConfiguration(in: target.temporary, places: towers.filter { changedTowers.contains($0.part) })
            try writeAdapters(in: target.temporary)
            try copyParts(to: target, towers: towers.filter { !changedTowers.contains($0.part) })
            try target.commit(replacing: false)
        } catch {
            target.abandon()
            throw error
        }
    }

    // MARK: Weights

    /// How a layer of the part is packed; nil for one that is not.
    private func packing(_ part: ModelPart) -> (String) -> Quantization.Setting? {
        let settings = quantization[part], layers = quantized[part] ?? []
        return { layers.contains($0) ? settings?.setting($0) : nil }
    }

    /// As MLX's tools write it: under both names.
    private static func keys(_ quantization: Quantization) throws -> [String: Any] {
        let value = try JSONSerialization.jsonObject(with: JSONEncoder().encode(quantization))
        return ["quantization": value, "quantization_config": value]
    }

    private struct Job {
        var packing: (String) -> Quantization.Setting? = { _ in nil }
        let part: ModelPart
        let weights: ShardedSafetensors
        let prefix: String
        let folder: String
        let dtype: DType?
        /// Tensors that are not in the base.
        let added: [String: MLXArray]

        init(part: ModelPart, weights: ShardedSafetensors, prefix: String, folder: String, dtype: DType?, added: [String: MLXArray]) {
            (self.part, self.weights, self.prefix, self.folder, self.dtype) = (part, weights, prefix, folder, dtype)
            self.added = added.filter { !weights.contains($0.key) }
        }

        var bytes: Int {
            weights.files.reduce(added.values.reduce(0) { $0 + $1.nbytes }) { total, file in
                file.tensors.values.reduce(total) { $0 + $1.byteRange.count }
            }
        }

        /// The base's files, one after the other; what is new goes into the last.
        func write(
            _ value: (ModelPart, String, () throws -> MLXArray) throws -> MLXArray?, progress: (Int) throws -> Void
        ) throws {
            var places: [String: String] = [:], total = 0
            for (number, file) in weights.files.enumerated() {
                let isLast = number == weights.files.count - 1
                var packed: [String: QuantizedTensor] = [:]
                var entries = try file.names.flatMap { name -> [SafetensorsWriter.Entry] in
                    guard let info = file.tensors[name], let stored = info.dtype else {
                        throw SafetensorsError.unsupportedType(tensor: name, type: file.tensors[name]?.typeName ?? "", path: file.path)
                    }
                    if name.hasSuffix(".weight"), let setting = packing(String(name.dropLast(".weight".count))) {
                        let tensor = QuantizedTensor(name, info.shape, stored, setting)
                        for entry in tensor.entries { packed[entry.name] = tensor }
                        return tensor.entries
                    }
                    return [SafetensorsWriter.Entry(name: name, dtype: type(stored), shape: info.shape)]
                }
                let new = isLast ? added : [:]
                entries += new.map { SafetensorsWriter.Entry(name: $0.key, dtype: type($0.value.dtype), shape: $0.value.shape) }
                let types = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.dtype) })
                let name = (file.path as NSString).lastPathComponent
                for entry in entries {
                    places[entry.name] = name
                    total += entry.shape.reduce(entry.dtype.size, *)
                }
                var written: String?
                try SafetensorsWriter.save(
                    entries, metadata: ["format": packed.isEmpty ? "pt" : "mlx"], to: URL(fileURLWithPath: "\(folder)/\(name)"),
                    keepsOrder: !packed.isEmpty
                ) { name in
                    if let written { file.discard(named: written) }
                    written = name
                    if let tensor = packed[name] {
                        if name == tensor.name { try progress(file.tensors[name]?.byteRange.count ?? 0) }
                        return try tensor.part(name) { try file.array(named: tensor.name) }
                    }
                    let array: MLXArray
                    if let fresh = new[name] {
                        array = fresh
                    } else {
                        let own = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
                        array = try own.flatMap { try value(part, $0, { try file.array(named: name) }) } ?? file.array(named: name)
                    }
                    try progress(file.tensors[name]?.byteRange.count ?? array.nbytes)
                    return array.asType(types[name] ?? array.dtype)
                }
            }
            let index = "model.safetensors.index.json"
            guard weights.files.count > 1 || FileManager.default.fileExists(atPath: "\(weights.directory.path)/\(index)") else { return }
            try writeJSON(["metadata": ["total_size": total], "weight_map": places], to: "\(folder)/\(index)")
        }

        private func type(_ stored: DType) -> DType { stored.isFloatingPoint ? dtype ?? stored : stored }
    }

    // MARK: Other files

    private struct Tower {
        var part: ModelPart
        var key: String
        var named: String
        var folder: String
        /// Below the new model's folder.
        var place: String
    }

    private var towers: [Tower] {
        [
            (ModelPart.vision, "mm_vision_tower", configuration.visionTower, base.vision, "model_zoo/vision"),
            (.whisper, "mm_speech_tower", configuration.speechTower, base.speech, "model_zoo/audio"),
        ].compactMap { part, key, named, folder, home in
            guard let named, let folder else { return nil }
            // A name that leads out of the folder, or is absolute, gets a place of its own.
            let isInside = !named.hasPrefix("/") && !named.split(separator: "/").contains("..")
            let last = named.split(separator: "/").last.map(String.init) ?? part.rawValue
            return Tower(part: part, key: key, named: named, folder: folder, place: isInside ? named : "\(home)/\(last)")
        }
    }

    /// Weights, which are written anew or not at all.
    private static func isWeights(_ name: String) -> Bool {
        [".safetensors", ".index.json", ".bin", ".pt", ".pth", ".gguf"].contains { name.hasSuffix($0) }
    }

    /// The files of a folder, without its subfolders.
    private static func copyFiles(from source: String, to target: String, except names: Set<String>) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: source).sorted() {
            let path = "\(source)/\(name)"
            var isFolder: ObjCBool = false
            guard !isWeights(name), !names.contains(name), FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                !isFolder.boolValue
            else { continue }
            // What a link points to, since a relative one would lead elsewhere.
            try FileManager.default.copyItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path, toPath: "\(target)/\(name)")
        }
    }

    /// The base's `config.json` with what this writer's configuration changes.
    private func writeConfiguration(in folder: String, places: [Tower]) throws {
        let path = base.model + "/config.json"
        let original = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any] ?? [:]
        var changed = original
        if try LyraConfiguration.load(path) != configuration {
            let ours = try JSONSerialization.jsonObject(with: JSONEncoder().encode(configuration)) as? [String: Any] ?? [:]
            changed.merge(ours) { $1 }
        }
        if let settings = quantization[.model] { changed.merge(try Self.keys(settings)) { $1 } }
        for tower in places where tower.place != tower.named { changed[tower.key] = tower.place }
        try writeJSON(changed, to: folder + "/config.json")
    }

    private func writeAdapters(in folder: String) throws {
        for (adapter, source) in base.adapters where keepsAdapters && adapters[adapter] == nil {
            let place = "\(folder)/\(adapter.folder)"
            try FileManager.default.copyItem(atPath: source, toPath: place)
            guard let adapterType else { continue }
            for file in ["adapter_model.safetensors", "non_lora_trainables.safetensors"] where FileManager.default.fileExists(atPath: "\(place)/\(file)") {
                let stored = try SafetensorsFile(URL(fileURLWithPath: "\(source)/\(file)"))
                let arrays = try stored.names.map { ($0, try stored.array(named: $0)) }
                try SafetensorsWriter.save(
                    Dictionary(uniqueKeysWithValues: arrays.map { ($0, $1.dtype == .float32 ? $1.asType(adapterType) : $1) }),
                    metadata: ["format": "pt"], to: URL(fileURLWithPath: "\(place)/\(file)"))
            }
        }
        for (adapter, files) in adapters {
            let place = "\(folder)/\(adapter.folder)"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            try files.writeFiles(in: place, dtype: nil, releaseLayout: releaseLayout)
        }
    }

    /// Copies towers and vocoder that would not be found from the new folder.
    private func copyParts(to target: AtomicFolder, towers: [Tower]) throws {
        var parts = towers.map { ($0.named, $0.folder, $0.place, $0.key) }
        if let vocoder = base.vocoder { parts.append((ModelLocation.vocoderFolder, vocoder, ModelLocation.vocoderFolder, "")) }
        for (named, folder, place, key) in parts where !isFound(named, folder, from: target.temporary) {
            let copy = "\(target.temporary)/\(place)"
            try FileManager.default.createDirectory(
                atPath: (copy as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: URL(fileURLWithPath: folder).resolvingSymlinksInPath().path, toPath: copy)
            guard place != named else { continue }
            let path = target.temporary + "/config.json"
            var configuration = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any] ?? [:]
            configuration[key] = place
            try writeJSON(configuration, to: path)
        }
    }

    /// Whether the name leads to the folder from a model's folder, wherever one calls from: the working directory does not count.
    private func isFound(_ named: String, _ folder: String, from model: String) -> Bool {
        let last = named.split(separator: "/").last.map(String.init) ?? named
        let roots = [model, model + "/..", model + "/../.."]
        let places = (named.hasPrefix("/") ? [named] : []) + roots.map { "\($0)/\(named)" } + roots.map { "\($0)/\(last)" }
        func real(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path }
        return places.first { FileManager.default.fileExists(atPath: $0 + "/config.json") }.map { real($0) == real(folder) } ?? false
    }
}

private func writeJSON(_ value: [String: Any], to path: String) throws {
    try JSONSerialization.data(withJSONObject: value, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        .write(to: URL(fileURLWithPath: path), options: .atomic)
}
