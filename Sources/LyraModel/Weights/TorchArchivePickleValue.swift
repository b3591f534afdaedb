// What the pickle inside a PyTorch file may contain.
import MLX

/// What a pickle builds. Containers are indices into ``TorchPickle``'s tables, so that one that holds itself, or is
/// nested a million deep, is just numbers.
enum PickleValue {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(String)
    case bytes
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    case global(PickleGlobal)
    case storage(PickleStorage)
    case tensor(PickleTensor)
}

/// The classes and functions a pickle may name.
enum PickleGlobal: Equatable {
    case rebuildTensor
    case orderedDictionary
    case storage(DType)

    init?(module: String, name: String) {
        switch (module, name) {
        case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
        case ("collections", "OrderedDict"): self = .orderedDictionary
        case ("torch", "FloatStorage"): self = .storage(.float32)
        case ("torch", "DoubleStorage"): self = .storage(.float64)
        case ("torch", "HalfStorage"): self = .storage(.float16)
        case ("torch", "BFloat16Storage"): self = .storage(.bfloat16)
        case ("torch", "LongStorage"): self = .storage(.int64)
        case ("torch", "IntStorage"): self = .storage(.int32)
        case ("torch", "ShortStorage"): self = .storage(.int16)
        case ("torch", "CharStorage"): self = .storage(.int8)
        case ("torch", "ByteStorage"): self = .storage(.uint8)
        case ("torch", "BoolStorage"): self = .storage(.bool)
        default: return nil
        }
    }
}

/// A block of memory in another entry of the archive.
struct PickleStorage: Equatable {
    var key: String
    var dtype: DType
    /// In elements.
    var count: Int
}

/// A tensor's view of a storage, as the pickle gives it; not checked yet.
struct PickleTensor {
    var storage: PickleStorage
    var offset: Int
    var shape: [Int]
    var strides: [Int]
}

extension PickleValue {
    /// What Python calls an operation that is refused.
    static func name(ofOperation code: UInt8) -> String {
        let names: [UInt8: String] = [
            0x69: "INST", 0x6F: "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4",
            0x50: "PERSID", 0x97: "NEXT_BUFFER", 0x8F: "EMPTY_SET", 0x91: "FROZENSET", 0x90: "ADDITEMS",
        ]
        return names[code] ?? "0x" + String(code, radix: 16)
    }
}
