// JSON lines on their way to disk: the file appears when it is complete.
import Foundation

/// Writes a list, an object a line, beside its place, and puts it there at the end.
final class LinesFile {
    let path: String
    private let temporary: String
    private let handle: FileHandle
    private(set) var count = 0
    private var buffer = Data()
    private var isCommitted = false

    init(_ path: String) throws {
        self.path = path
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        temporary = path + ".\(UInt32.random(in: 0...UInt32.max)).part"
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw RunFolderError.unwritable(folder, reason: error.localizedDescription)
        }
        guard FileManager.default.createFile(atPath: temporary, contents: nil), let handle = FileHandle(forWritingAtPath: temporary) else {
            throw RunFolderError.unwritable(path, reason: String(cString: strerror(errno)))
        }
        self.handle = handle
    }

    deinit {
        try? handle.close()
        if !isCommitted { unlink(temporary) }
    }

    /// Adds a line; keys are sorted, so that the same data give the same file.
    func append(_ object: [String: Any]) throws {
        buffer += try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes]) + Data("\n".utf8)
        count += 1
        if buffer.count > 1 << 20 { try flush() }
    }

    private func flush() throws {
        do { try handle.write(contentsOf: buffer) } catch { throw RunFolderError.unwritable(path, reason: error.localizedDescription) }
        buffer.removeAll(keepingCapacity: true)
    }

    func commit() throws {
        try flush()
        guard fsync(handle.fileDescriptor) == 0, rename(temporary, path) == 0 else {
            throw RunFolderError.unwritable(path, reason: String(cString: strerror(errno)))
        }
        isCommitted = true
    }
}

/// What a preparation did.
public struct PreparationResult: Sendable, Equatable, Encodable {
    /// The file that was written.
    public var path: String
    /// Items in it.
    public var items: Int
    /// Items that were left out, by reason.
    public var leftOut: [String: Int] = [:]
    /// The first few of them, with what was wrong.
    public var problems: [String] = []

    mutating func leaveOut(_ reason: String, _ detail: String? = nil) {
        leftOut[reason, default: 0] += 1
        if let detail, problems.count < 20 { problems.append(detail) }
    }
}

/// An order that is the same on every machine.
enum StableHash {
    /// FNV-1a, 64 bits, mixed so that the low bits can be used.
    static func of(_ text: String) -> UInt64 {
        var mix = SplitMix(state: text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
        return mix.next()
    }

    static func pick<Element>(_ elements: [Element], for text: String) -> Element { elements[Int(of(text) % UInt64(elements.count))] }
}
