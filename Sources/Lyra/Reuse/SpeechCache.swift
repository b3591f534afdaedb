// Encoded speech on disk: a file a window of sound, named by what it was computed from.
import Foundation
import LyraMedia
import LyraModel
import MLX

/// A folder that cannot serve as a cache.
public struct SpeechCacheError: Error, LocalizedError {
    let folder, reason: String
    public var errorDescription: String? { "\(folder) cannot be used to keep encoded speech: \(reason)" }
}

/// Encoder frames of windows that were heard before. Several processes may share the folder: files appear whole, and one that
/// does not hold what its name and checksum say is ignored and written anew. The oldest go when the folder grows too large.
/// What cannot be written is left out; the reply does not depend on it.
final class SpeechCache {
    private let folder: String
    private let limit: Int
    /// Names the encoder: its weights, configuration and precision.
    private let encoder: String
    /// Bytes of all windows in the folder, as far as known.
    private var bytes: Int
    /// When the recording at hand was begun. Its windows do not drive each other out.
    private var began = Date()
    private static let ending = ".window"

    /// - Parameters:
    ///   - folder: made if it is not there.
    ///   - limit: most bytes of all files.
    init(folder: String, limit: Int, model: LyraModel) throws {
        (self.folder, self.limit) = (folder, limit)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw SpeechCacheError(folder: folder, reason: error.localizedDescription)
        }
        guard access(folder, R_OK | W_OK | X_OK) == 0 else {
            throw SpeechCacheError(folder: folder, reason: String(cString: strerror(errno)))
        }
        encoder = try EncoderIdentity.of(model.location.speech, model.precision)
        bytes = 0
        bytes = Self.windows(folder).reduce(0) { $0 + $1.size }
        removeLeftovers()
    }

    /// A recording begins.
    func beginRecording() { began = Date() }

    private func path(_ window: String) -> String {
        var digest = SHA256()
        digest.update("lyra speech window 1 \(encoder) \(window)")
        return "\(folder)/\(digest.hex())\(Self.ending)"
    }

    /// Frames of the window with this digest, [1, frames, width], if they are there and whole.
    func frames(_ window: String) -> MLXArray? {
        let path = path(window)
        guard access(path, R_OK) == 0, let file = try? SafetensorsFile(URL(fileURLWithPath: path)),
            let checksum = file.metadata["sha256"], let found = try? file.withBytes(named: "frames", { Self.checksum($0) }),
            found == checksum, file.metadata["window"] == window, let frames = try? file.array(named: "frames"), frames.ndim == 3
        else { return nil }
        utimes(path, nil)  // used: the oldest go first
        return frames
    }

    func store(_ window: String, _ frames: MLXArray) {
        let path = path(window), size = frames.nbytes + 512
        guard size <= limit else { return }
        let old = Self.size(path) ?? 0
        guard makeRoom(size - old) else { return }
        let metadata = ["sha256": frames.withUnsafeBytes { Self.checksum($0) }, "window": window]
        guard (try? SafetensorsWriter.save(["frames": frames], metadata: metadata, to: URL(fileURLWithPath: path))) != nil else { return }
        bytes += (Self.size(path) ?? 0) - old
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> String {
        var digest = SHA256()
        digest.update(bytes)
        return digest.hex()
    }

    /// Whether there is room, or could be made.
    private func makeRoom(_ size: Int) -> Bool {
        guard bytes + size > limit else { return true }
        // Others may have written and removed files too.
        let all = Self.windows(folder).sorted { $0.used < $1.used }
        bytes = all.reduce(0) { $0 + $1.size }
        for window in all where bytes + size > limit && window.used < began {
            unlink("\(folder)/\(window.name)")
            bytes -= window.size
        }
        return bytes + size <= limit
    }

    /// Files that a process left unfinished.
    private func removeLeftovers() {
        let hourAgo = Date(timeIntervalSinceNow: -3_600)
        for file in Self.files(folder, ending: ".partial") where file.name.hasPrefix(".") && file.used < hourAgo {
            unlink("\(folder)/\(file.name)")
        }
    }

    private static func size(_ path: String) -> Int? {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : nil
    }

    private static func windows(_ folder: String) -> [(name: String, size: Int, used: Date)] { files(folder, ending: ending) }

    private static func files(_ folder: String, ending: String) -> [(name: String, size: Int, used: Date)] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(ending) }.compactMap { name in
            var info = stat()
            guard stat("\(folder)/\(name)", &info) == 0 else { return nil }
            let time = Double(info.st_mtim.tv_sec) + Double(info.st_mtim.tv_nsec) / 1e9
            return (name, Int(info.st_size), Date(timeIntervalSince1970: time))
        }
    }
}
