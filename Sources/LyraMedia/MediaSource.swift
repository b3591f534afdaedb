// Where media comes from. Opens files and standard input; FFmpeg is handed descriptors and bytes, never paths.
import CFFmpeg
import Foundation

/// A file or bytes in memory.
public enum MediaSource: Sendable {
    /// A path; "-" is standard input. Named pipes and other streams work as well.
    case file(String)
    /// The content of a file.
    case bytes([UInt8])

    /// For messages.
    public var description: String {
        switch self {
        case .file("-"): "standard input"
        case .file(let path): "'\(path)'"
        case .bytes: "data"
        }
    }

    /// The file's name, which helps to recognise formats that have no signature.
    var name: String? {
        if case .file(let path) = self, path != "-" { (path as NSString).lastPathComponent } else { nil }
    }
}

/// Limits against files that would fill memory or disk. The defaults fit everything a camera or recorder makes.
public struct MediaLimits: Sendable {
    /// Pixels of a picture or of one video frame.
    public var pixels = 200_000_000
    /// Width or height of a picture or video, in pixels.
    public var dimension = 32_768
    /// Size of a picture file, in bytes; it is read as a whole.
    public var pictureBytes = 512 << 20
    /// What is stored of a stream that cannot be decoded while it comes (an MP4 on standard input), in bytes.
    public var spooledBytes = 4 << 30

    public init() {}

    func check(width: Int, height: Int, source: String) throws(MediaError) {
        guard width <= dimension, height <= dimension, width * height <= pixels else {
            throw .tooLarge(
                source: source,
                reason: "\(width) x \(height) pixels; at most \(dimension) a side and \(pixels / 1_000_000) million are read")
        }
    }
}

/// An open source: what the C interface needs to read it.
struct OpenSource {
    var descriptor: Int32 = -1
    var seekable = false
    var bytes: [UInt8] = []  // of a stream: its beginning, read already
    let name: String?

    /// Opens the source. `seeking`: a stream is stored in a temporary file first, unless it can be decoded as it comes.
    init(_ source: MediaSource, limits: MediaLimits, seeking: Bool) throws(MediaError) {
        name = source.name
        switch source {
        case .bytes(let content):
            guard !content.isEmpty else { throw .empty(source: source.description) }
            bytes = content
        case .file(let path):
            descriptor = try openDescriptor(path)
            var info = stat()
            guard fstat(descriptor, &info) == 0 else {
                throw closing(.notReadable(source: source.description, reason: systemReason()))
            }
            switch info.st_mode & S_IFMT {
            case S_IFREG:
                // Standard input may be a file of which a part has been read.
                guard info.st_size > 0 else { throw closing(.empty(source: source.description)) }
                seekable = path != "-" || lseek(descriptor, 0, SEEK_CUR) == 0
            case S_IFDIR:
                throw closing(.notReadable(source: source.description, reason: "it is a folder; give a file"))
            default: break
            }
            if !seekable { try openStream(source, limits: limits, seeking: seeking) }
        }
    }

    private mutating func openStream(_ source: MediaSource, limits: MediaLimits, seeking: Bool) throws(MediaError) {
        do {
            bytes = try readBytes(descriptor, upTo: 4096)
            guard !bytes.isEmpty else { throw MediaError.empty(source: source.description) }
            // MP4 and its kin keep their table of contents at the end as often as not.
            let isMP4 = bytes.count >= 8 && bytes[4..<8].elementsEqual("ftyp".utf8)
            guard seeking || isMP4 else { return }
            let file = try spool(descriptor, beginning: bytes, limit: limits.spooledBytes, source: source.description)
            close(descriptor)
            descriptor = file
            seekable = true
            bytes = []
        } catch let failure as MediaError {
            throw closing(failure)
        } catch {
            throw closing(.notReadable(source: source.description, reason: error.localizedDescription))
        }
    }

    /// The picture format, if this is a still picture rather than an animation or video.
    func stillFormat() -> PictureFormat? {
        var beginning = bytes
        if descriptor >= 0 {  // a regular file: streams have been stored by now
            beginning = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                count = max(0, pread(descriptor, buffer.baseAddress, 4096, 0))
            }
        }
        guard let format = PictureFormat(beginning), format != .gif else { return nil }
        if format == .png, PNGChunks(ByteView(beginning[...])).contains(where: { $0.type == "acTL" }) { return nil }
        return format
    }

    private func closing(_ error: MediaError) -> MediaError {
        close(descriptor)
        return error
    }

    /// The whole content, for pictures. Closes the source.
    consuming func readAll(limit: Int, source: String) throws(MediaError) -> [UInt8] {
        guard descriptor >= 0 else {
            guard bytes.count <= limit else { throw .tooLarge(source: source, reason: "more than \(limit >> 20) MB") }
            return bytes
        }
        defer { close(descriptor) }
        do {
            let all = try bytes + readBytes(descriptor, upTo: limit + 1 - bytes.count)
            guard all.count <= limit else { throw MediaError.tooLarge(source: source, reason: "more than \(limit >> 20) MB") }
            return all
        } catch let failure as MediaError {
            throw failure
        } catch {
            throw .notReadable(source: source, reason: error.localizedDescription)
        }
    }

    /// Calls the C interface, which takes over the descriptor.
    consuming func withSource<Result>(_ body: (UnsafePointer<cff_source>) -> Result) -> Result {
        let descriptor = descriptor, seekable = seekable
        return bytes.withUnsafeBufferPointer { buffer in
            (name ?? "").withCString { name in
                var source = cff_source(
                    descriptor: descriptor, seekable: seekable, bytes: buffer.baseAddress, count: buffer.count, name: name)
                return body(&source)
            }
        }
    }
}

private func openDescriptor(_ path: String) throws(MediaError) -> Int32 {
    let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        if errno == ENOENT { throw .notFound(path: path) }
        throw .notReadable(source: "'\(path)'", reason: systemReason())
    }
    return descriptor
}

func systemReason() -> String { String(cString: strerror(errno)) }

extension MediaSource {
    /// The first bytes of a regular file or of bytes in memory; nil for streams, which could not be read again.
    func beginning(_ count: Int) -> [UInt8]? {
        switch self {
        case .bytes(let bytes): return Array(bytes.prefix(count))
        case .file("-"): return nil
        case .file(let path):
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            defer { close(descriptor) }
            return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = max(0, pread(descriptor, buffer.baseAddress, count, 0))
            }
        }
    }
}

/// Reads until `limit` bytes or the end.
private func readBytes(_ descriptor: Int32, upTo limit: Int) throws -> [UInt8] {
    var info = stat()
    let expected = fstat(descriptor, &info) == 0 && info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) + 1 : 1 << 16
    var all: [UInt8] = []
    while all.count < limit {
        let room = min(limit - all.count, max(expected - all.count, 1 << 16))
        let chunk = try [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            repeat { count = read(descriptor, buffer.baseAddress, room) } while count < 0 && errno == EINTR
            if count < 0 {
                count = 0
                throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
            }
        }
        if chunk.isEmpty { break }
        if all.isEmpty { all = chunk } else { all += chunk }
    }
    return all
}

/// Stores a stream in a nameless temporary file, which the system removes when it is closed.
private func spool(_ descriptor: Int32, beginning: [UInt8], limit: Int, source: String) throws -> Int32 {
    let template = FileManager.default.temporaryDirectory.appendingPathComponent("lyra-XXXXXX").path
    var path = Array(template.utf8CString)
    let file = mkstemp(&path)
    guard file >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    unlink(path)
    do {
        var chunk = beginning, total = 0
        while !chunk.isEmpty {
            total += chunk.count
            guard total <= limit else {
                throw MediaError.tooLarge(source: source, reason: "more than \(limit >> 20) MB to store")
            }
            try writeBytes(chunk, to: file)
            chunk = try readBytes(descriptor, upTo: 1 << 20)
        }
        lseek(file, 0, SEEK_SET)
        return file
    } catch {
        close(file)
        throw error
    }
}

/// Writes all bytes, however often the system takes only a part.
func writeBytes(_ bytes: [UInt8], to descriptor: Int32) throws {
    try bytes.withUnsafeBytes { buffer in
        var rest = buffer[...]
        while !rest.isEmpty {
            let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
            rest = rest.dropFirst(count)
        }
    }
}
