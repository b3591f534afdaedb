// Files that appear complete or not at all.
import Foundation

/// A file being written beside its final place, and moved there at the end. Devices and pipes are written directly.
final class AtomicFile {
    let path: String
    let descriptor: Int32
    private let temporary: String?
    private let flushes: Bool
    private var committed = false

    /// - Parameter flushes: whether the content is on disk before the file gets its name. Without, a power failure may leave an
    ///   empty file; thousands of small files are written much faster.
    init(_ path: String, flushes: Bool = true) throws(MediaError) {
        (self.path, self.flushes) = (path, flushes)
        var info = stat()
        if stat(path, &info) == 0, info.st_mode & S_IFMT != S_IFREG {
            temporary = nil
            descriptor = open(path, O_WRONLY | O_CLOEXEC)
        } else {
            // A link stays a link: what it points to is replaced.
            let place = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let name = "\(place).\(UInt32.random(in: 0...UInt32.max)).part"
            temporary = name
            descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        }
        guard descriptor >= 0 else { throw .cannotWrite(path: path, reason: systemReason()) }
    }

    deinit {
        close(descriptor)
        if let temporary, !committed { unlink(temporary) }
    }

    /// Puts the file in its place.
    func commit() throws(MediaError) {
        guard !committed else { return }
        if let temporary {
            let place = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            guard !flushes || fsync(descriptor) == 0, rename(temporary, place) == 0 else {
                throw .cannotWrite(path: path, reason: systemReason())
            }
        }
        committed = true
    }

    func write(_ bytes: [UInt8]) throws(MediaError) {
        do { try writeBytes(bytes, to: descriptor) } catch {
            throw .cannotWrite(path: path, reason: error.localizedDescription)
        }
    }

    /// An encoder's failure to get its bytes into this file, in the words of one about writing.
    func writing(_ error: MediaError) -> MediaError {
        if case .notReadable(_, let reason) = error { .cannotWrite(path: path, reason: reason) } else { error }
    }
}
