// What can be wrong with a safetensors file.
import Foundation

/// Why a safetensors file could not be read or written.
public enum SafetensorsError: Error, LocalizedError, Equatable {
    case unreadable(path: String, reason: String)
    /// The header does not describe a valid file.
    case malformed(path: String, reason: String)
    /// The file ends before the data its header announces; sizes in bytes, of the whole file.
    case truncated(path: String, expected: Int, actual: Int)
    case missingTensor(name: String, path: String)
    /// The tensor has an element type that the array library lacks.
    case unsupportedType(tensor: String, type: String, path: String)
    case tooLarge(tensor: String, shape: [Int], path: String)
    /// The index of a sharded checkpoint names a file that is not there.
    case missingShard(file: String, index: String)
    /// No weights under any of the names looked for.
    case noWeights(directory: String, tried: [String])
    case unwritable(path: String, reason: String)

    public var errorDescription: String? {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .malformed(let path, let reason): "\(path) is not a valid safetensors file: \(reason)"
        case .truncated(let path, let expected, let actual):
            "\(path) is cut off: \(expected) bytes expected, \(actual) there; download or copy it again"
        case .missingTensor(let name, let path): "\(path) has no tensor \"\(name)\""
        case .unsupportedType(let tensor, let type, let path):
            "tensor \"\(tensor)\" in \(path) has elements of type \(type), which is not supported; convert it to BF16 or F32"
        case .tooLarge(let tensor, let shape, let path):
            "tensor \"\(tensor)\" in \(path) has shape \(shape), with a dimension beyond \(Int32.max)"
        case .missingShard(let file, let index): "\(index) names \(file), which is not there; the checkpoint is incomplete"
        case .noWeights(let directory, let tried): "no weights in \(directory): looked for \(tried.joined(separator: ", "))"
        case .unwritable(let path, let reason): "cannot write \(path): \(reason)"
        }
    }
}
