// Tensors from files that PyTorch's `torch.save` wrote: LoRA's `non_lora_trainables.bin`, the vocoder's `g_00500000`.
import Foundation
import MLX

/// A PyTorch file (the zip format of PyTorch 1.6 and later), open for reading.
///
/// Such files hold a pickle, which is a program. It is read as data: only what builds dictionaries, lists and tensors is
/// understood, everything else is refused and nothing is ever run. Nested dictionaries become paths: the tensor
/// `conv_pre.bias` of the dictionary `generator` is `generator.conv_pre.bias`; items of lists go by their number.
public struct TorchArchive: Sendable {
    public let path: String
    /// All tensors by path.
    public let tensors: [String: TorchTensor]
    /// Numbers and text beside the tensors, by path ("steps", "epoch").
    public let values: [String: Value]

    /// What a file can hold beside tensors.
    public enum Value: Sendable, Equatable {
        case none
        case bool(Bool)
        case int(Int)
        case float(Double)
        case string(String)
    }

    /// - Parameter verifyChecksums: whether to compare each entry read with its checksum. PyTorch can be told not to
    ///   compute them; such a file needs false.
    /// - Throws: ``TorchArchiveError``.
    public init(_ url: URL, verifyChecksums: Bool = true) throws {
        path = url.path
        let zip = try TorchZip(path: path, verifyChecksums: verifyChecksums)
        // All entries lie in one folder, whose name is free.
        let roots = zip.entries.keys.filter { $0.hasSuffix("/data.pkl") && $0.filter { $0 == "/" }.count == 1 }
        guard roots.count == 1, let root = roots.first?.dropLast("data.pkl".count) else {
            throw TorchArchiveError.badZip(path: path, reason: "it is not from PyTorch: no data.pkl in it")
        }
        if zip.entries["\(root)byteorder"] != nil {
            let order = try zip.withBytes(of: "\(root)byteorder") { String(decoding: $0.prefix(20), as: UTF8.self) }
            guard order == "little" else {
                throw TorchArchiveError.badZip(path: path, reason: "its numbers are in \(order)-endian order")
            }
        }
        let pickle: TorchPickle
        do {
            pickle = try zip.withBytes(of: "\(root)data.pkl") { try TorchPickle($0) }
        } catch let failure as TorchPickle.Failure {
            throw switch failure.kind {
            case .forbiddenGlobal: TorchArchiveError.forbiddenGlobal(path: path, name: failure.what, byte: failure.byte)
            case .forbiddenOperation: TorchArchiveError.forbiddenOperation(path: path, name: failure.what, byte: failure.byte)
            case .malformed: TorchArchiveError.badPickle(path: path, reason: failure.what, byte: failure.byte)
            }
        }
        var collector = Collector(pickle: pickle, path: path)
        try collector.collect(pickle.result, at: "", depth: 0)
        tensors = try collector.tensors.reduce(into: [:]) { tensors, item in
            let entry = "\(root)data/\(item.value.storage.key)"
            tensors[item.key] = try TorchTensor(item.value, name: item.key, archive: zip, entry: entry)
        }
        values = collector.values
    }

    /// Paths in order.
    public var names: [String] { tensors.keys.sorted() }

    /// A tensor as an array of its own memory.
    /// - Throws: ``TorchArchiveError``, ``MLXError``.
    public func array(named name: String) throws -> MLXArray {
        guard let tensor = tensors[name] else { throw TorchArchiveError.missingTensor(path: path, tensor: name) }
        return try tensor.array()
    }
}

/// Walks what the pickle built and gives everything a path.
private struct Collector {
    let pickle: TorchPickle
    let path: String
    var tensors: [String: PickleTensor] = [:]
    var values: [String: TorchArchive.Value] = [:]
    private var visited = 0

    /// A container can appear in several places, and in itself; both would multiply.
    private static let visitLimit = 200_000
    private static let depthLimit = 32
    private static let pathLimit = 512

    init(pickle: TorchPickle, path: String) {
        self.pickle = pickle
        self.path = path
    }

    mutating func collect(_ value: PickleValue, at name: String, depth: Int) throws(TorchArchiveError) {
        visited += 1
        guard visited <= Self.visitLimit, depth <= Self.depthLimit, name.utf8.count <= Self.pathLimit else {
            throw .badPickle(path: path, reason: "containers nested beyond measure (\(name.prefix(100)))", byte: 0)
        }
        func child(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }
        switch value {
        case .dictionary(let index):
            for (key, item) in pickle.dictionaries[index] { try collect(item, at: child(key), depth: depth + 1) }
        case .list(let index):
            for (key, item) in pickle.lists[index].enumerated() { try collect(item, at: child("\(key)"), depth: depth + 1) }
        case .tuple(let index):
            for (key, item) in pickle.tuples[index].enumerated() { try collect(item, at: child("\(key)"), depth: depth + 1) }
        case .tensor(let tensor):
            guard tensors.updateValue(tensor, forKey: name) == nil else {
                throw .badTensor(path: path, tensor: name, reason: "there are two of this name")
            }
        case .none: values[name] = TorchArchive.Value.none
        case .bool(let value): values[name] = .bool(value)
        case .int(let value): values[name] = .int(value)
        case .float(let value): values[name] = .float(value)
        case .string(let value): values[name] = .string(value)
        case .bytes, .global, .storage: break
        }
    }
}
