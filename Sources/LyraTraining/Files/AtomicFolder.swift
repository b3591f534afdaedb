// A folder that is written beside its place and takes it at once.
import Foundation

/// A folder being written as `.NAME.partial`. Whatever happens before ``commit(replacing:)``, what was at its place stays.
struct AtomicFolder {
    let path: String
    /// Where to write.
    let temporary: String

    /// Begins anew: what an earlier attempt left is removed.
    init(_ path: String) throws {
        let url = URL(fileURLWithPath: path).standardizedFileURL
        self.path = url.path
        temporary = url.deletingLastPathComponent().appendingPathComponent(".\(url.lastPathComponent).partial").path
        if FileManager.default.fileExists(atPath: temporary) { try FileManager.default.removeItem(atPath: temporary) }
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
    }

    func abandon() { try? FileManager.default.removeItem(atPath: temporary) }

    /// Puts the folder in its place.
    /// - Parameter replacing: whether another may be there. The two change places in one step, so that readers find the old
    ///   one or the new one, whole.
    func commit(replacing: Bool) throws {
        guard FileManager.default.fileExists(atPath: path) else { return try rename(temporary, path) }
        guard replacing else { throw FolderError.exists(path) }
        if !Self.exchange(temporary, path) {
            // Not on this file system: in two steps.
            let old = temporary + ".old"
            if FileManager.default.fileExists(atPath: old) { try FileManager.default.removeItem(atPath: old) }
            try rename(path, old)
            try rename(temporary, path)
            try FileManager.default.removeItem(atPath: old)
            return
        }
        abandon()  // the old one by now
    }

    private func rename(_ from: String, _ to: String) throws {
        guard Foundation.rename(from, to) == 0 else {
            throw FolderError.unwritable(path: to, reason: String(cString: strerror(errno)))
        }
    }

    /// Linux's own call, which Swift's C library module leaves out.
    private static func exchange(_ a: String, _ b: String) -> Bool {
        typealias Call = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
        guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "renameat2") else { return false }
        let workingDirectory: Int32 = -100, swaps: UInt32 = 2
        return unsafeBitCast(symbol, to: Call.self)(workingDirectory, a, workingDirectory, b, swaps) == 0
    }
}

/// A folder that cannot be written.
public enum FolderError: Error, LocalizedError, Equatable {
    case exists(String)
    case unwritable(path: String, reason: String)

    public var errorDescription: String? {
        switch self {
        case .exists(let path): "\(path) exists already; remove it or choose another folder"
        case .unwritable(let path, let reason): "cannot write \(path): \(reason)"
        }
    }
}
