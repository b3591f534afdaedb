// A checkpoint in one safetensors file or in several with an index, read alike.
import Foundation

/// The weights of a directory: `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
public final class ShardedSafetensors {
    public let directory: URL
    /// Which file each tensor is in.
    private let fileOfTensor: [String: SafetensorsFile]
    /// The files, in order of their names.
    public let files: [SafetensorsFile]

    /// - Parameters:
    ///   - name: what the files are called: "model" or, for LoRA weights, "adapter_model".
    /// - Throws: ``SafetensorsError``; among others if a shard is missing, or lacks a tensor the index says it has.
    public init(directory: URL, name: String = "model", prefetch: Bool = false) throws {
        self.directory = directory
        let single = directory.appendingPathComponent("\(name).safetensors")
        let index = directory.appendingPathComponent("\(name).safetensors.index.json")
        if FileManager.default.fileExists(atPath: index.path) {
            let map = try Self.weightMap(index)
            var opened: [String: SafetensorsFile] = [:]
            for file in Set(map.values).sorted() {
                // A name, not a path: an index must not reach out of its directory.
                guard !file.contains("/"), file != "..", !file.isEmpty else {
                    throw SafetensorsError.malformed(path: index.path, reason: "\"\(file)\" is not a file name")
                }
                let url = directory.appendingPathComponent(file)
                guard FileManager.default.fileExists(atPath: url.path) else {
                    throw SafetensorsError.missingShard(file: file, index: index.path)
                }
                opened[file] = try SafetensorsFile(url, prefetch: prefetch)
            }
            fileOfTensor = try Dictionary(uniqueKeysWithValues: map.map { tensor, file in
                guard let shard = opened[file], shard.tensors[tensor] != nil else {
                    throw SafetensorsError.missingTensor(name: tensor, path: directory.appendingPathComponent(file).path)
                }
                return (tensor, shard)
            })
            files = opened.sorted { $0.key < $1.key }.map(\.value)
        } else if FileManager.default.fileExists(atPath: single.path) {
            let file = try SafetensorsFile(single, prefetch: prefetch)
            fileOfTensor = file.tensors.mapValues { _ in file }
            files = [file]
        } else {
            throw SafetensorsError.noWeights(directory: directory.path, tried: [single, index].map(\.lastPathComponent))
        }
    }

    /// Names in order.
    public var names: [String] { fileOfTensor.keys.sorted() }

    public func contains(_ name: String) -> Bool { fileOfTensor[name] != nil }

    /// What the file says about a tensor, or nil if there is none of that name.
    public func info(named name: String) -> SafetensorsInfo? { fileOfTensor[name]?.tensors[name] }

    /// A tensor as an array; see ``SafetensorsFile/array(named:)``.
    public func array(named name: String) throws -> MLXArray {
        guard let file = fileOfTensor[name] else {
            throw SafetensorsError.missingTensor(name: name, path: directory.path)
        }
        return try file.array(named: name)
    }

    /// See ``SafetensorsFile/discard(named:)``.
    public func discard(named name: String) { fileOfTensor[name]?.discard(named: name) }

    private struct Index: Decodable {
        var weight_map: [String: String]
    }

    private static func weightMap(_ url: URL) throws -> [String: String] {
        let data: Data
        do { data = try Data(contentsOf: url) } catch {
            throw SafetensorsError.unreadable(path: url.path, reason: error.localizedDescription)
        }
        do { return try JSONDecoder().decode(Index.self, from: data).weight_map } catch {
            throw SafetensorsError.malformed(path: url.path, reason: "it has no readable weight_map (\(error))")
        }
    }
}
