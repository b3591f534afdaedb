// Files that are written: checked before the work, complete or absent after it, also when the process ends early.
import Foundation
import Synchronization

struct WriteFailure: Error, LocalizedError {
    let path, reason: String
    var errorDescription: String? { "cannot write \(path): \(reason)" }
}

enum OutputFile {
    /// Fails when nothing can be written there, before any work has been done for the file.
    static func check(_ path: String) throws {
        guard !path.isEmpty else { throw UsageError("the name of a file to write is empty") }
        if let kind = kind(path) {
            if kind == S_IFDIR { throw WriteFailure(path: path, reason: "it is a folder") }
            if kind != S_IFREG { return }  // a device or pipe is written to as it is
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard Self.kind(folder) == S_IFDIR else { throw WriteFailure(path: path, reason: "there is no folder \(folder)") }
        guard access(folder, W_OK) == 0 else { throw WriteFailure(path: path, reason: "the folder \(folder) is not writable") }
    }

    /// Writes the whole content at once.
    static func write(_ data: Data, to path: String) throws {
        let isDevice = kind(path).map { $0 != S_IFREG } ?? false
        do {
            try data.write(to: URL(fileURLWithPath: path), options: isDevice ? [] : .atomic)
        } catch {
            throw WriteFailure(path: path, reason: error.localizedDescription)
        }
    }

    private static func kind(_ path: String) -> mode_t? {
        var info = stat()
        return stat(path, &info) == 0 ? info.st_mode & S_IFMT : nil
    }
}

/// Files that are being written, under names of their own, for a process that is ended in the middle of it.
final class PartialFiles: Sendable {
    /// One a process: an interrupt has to find them all.
    static let shared = PartialFiles()

    private let targets = Mutex<Set<String>>([])
    private let folders = Mutex<Set<String>>([])
    private let began = Date()

    /// `path` will be written beside its place, as `path.NUMBER.part`.
    func expect(_ path: String) {
        targets.withLock { _ = $0.insert(URL(fileURLWithPath: path).resolvingSymlinksInPath().path) }
    }

    /// A whole folder that is of no use until it is complete.
    func expectFolder(_ path: String) { folders.withLock { _ = $0.insert(path) } }
    func keepFolder(_ path: String) { folders.withLock { _ = $0.remove(path) } }

    func removeAll() {
        for folder in folders.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: folder) }
        for path in targets.withLock({ $0 }) {
            let url = URL(fileURLWithPath: path), folder = url.deletingLastPathComponent().path
            let prefix = url.lastPathComponent + "."
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            where name.hasPrefix(prefix) && name.hasSuffix(".part") {
                let number = name.dropFirst(prefix.count).dropLast(".part".count)
                var info = stat()
                // Not those of another process that began earlier.
                guard UInt32(number) != nil, stat("\(folder)/\(name)", &info) == 0,
                    Double(info.st_mtim.tv_sec) >= began.timeIntervalSince1970.rounded(.down)
                else { continue }
                unlink("\(folder)/\(name)")
            }
        }
    }
}
