// What can be wrong with a PyTorch file.
import Foundation

/// Why a PyTorch file could not be read.
public enum TorchArchiveError: Error, LocalizedError, Equatable {
    case unreadable(path: String, reason: String)
    /// Not a zip file: neither PyTorch's current format nor anything else this reads.
    case notZip(path: String, hint: String)
    /// The zip structure is damaged or uses what PyTorch never writes.
    case badZip(path: String, reason: String)
    /// An entry's bytes differ from what its checksum says.
    case damaged(path: String, entry: String)
    /// The pickle asks for a class or function that is not on the list of those allowed. Nothing was run.
    case forbiddenGlobal(path: String, name: String, byte: Int)
    /// The pickle uses an operation that can run code or that PyTorch does not write.
    case forbiddenOperation(path: String, name: String, byte: Int)
    /// The pickle is damaged, or larger or deeper than any checkpoint.
    case badPickle(path: String, reason: String, byte: Int)
    /// A tensor does not fit its storage, or what it says makes no sense.
    case badTensor(path: String, tensor: String, reason: String)
    case missingTensor(path: String, tensor: String)

    public var errorDescription: String? {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .notZip(let path, let hint): "\(path) is not a PyTorch zip file: \(hint)"
        case .badZip(let path, let reason): "\(path) is a damaged zip file: \(reason)"
        case .damaged(let path, let entry): "\(path) is damaged: the checksum of \(entry) does not match; download it again"
        case .forbiddenGlobal(let path, let name, let byte):
            "\(path) was refused: forbidden global \(name) at byte \(byte); only tensors are read, nothing is run"
        case .forbiddenOperation(let path, let name, let byte):
            "\(path) was refused: forbidden operation \(name) at byte \(byte); only tensors are read, nothing is run"
        case .badPickle(let path, let reason, let byte): "\(path) cannot be understood: \(reason) at byte \(byte) of data.pkl"
        case .badTensor(let path, let tensor, let reason): "tensor \"\(tensor)\" in \(path): \(reason)"
        case .missingTensor(let path, let tensor): "\(path) has no tensor \"\(tensor)\""
        }
    }
}
