// Uploaded files on disk, for as long as the server runs. Names on disk are made here; nothing of a client's becomes a path.
import Foundation
import HTTPTypes

/// What is known of an uploaded file.
struct StoredFile: Sendable {
    var id: String
    var name: String
    var bytes: Int
    var created: Int
    var purpose: String
    var kind: MediaKind
    var owner: String
    /// Length of a recording.
    var seconds: Double?
}

actor FileStore {
    private let folder: String
    private let maximumBytes: Int
    private var files: [String: StoredFile] = [:]
    /// An open file that is locked, so that two servers do not share a folder; -1 before the first file.
    private var lock: Int32 = -1

    struct Found: Sendable {
        let path: String
        let kind: MediaKind
    }

    /// Nothing is touched before the first file comes.
    init(folder: String, maximumBytes: Int) { (self.folder, self.maximumBytes) = (folder, maximumBytes) }

    deinit { if lock >= 0 { close(lock) } }

    func add(_ content: [UInt8], name: String, purpose: String, kind: MediaKind, seconds: Double?, owner: String) throws -> StoredFile {
        guard files.values.map(\.bytes).reduce(0, +) + content.count <= maximumBytes else {
            throw APIError(
                status: .init(code: 507, reasonPhrase: "Insufficient Storage"), type: "invalid_request_error",
                message: "The store of files is full; delete some first.", code: "storage_full")
        }
        try prepare()
        let file = StoredFile(
            id: Names.new("file"), name: String(name.prefix(255)), bytes: content.count, created: Int(Date().timeIntervalSince1970),
            purpose: String(purpose.prefix(64)), kind: kind, owner: owner, seconds: seconds)
        try Data(content).write(to: URL(fileURLWithPath: path(file.id)), options: .atomic)
        files[file.id] = file
        return file
    }

    private func path(_ id: String) -> String { "\(folder)/\(id)" }

    /// Makes the folder this server's own, and removes what one that was killed has left in it.
    private func prepare() throws {
        guard lock < 0 else { return }
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        lock = open("\(folder)/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            if lock >= 0 { close(lock) }
            lock = -1
            throw FileStoreError.inUse(folder)
        }
        removeLeftovers()
    }

    private func removeLeftovers() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasPrefix("file-") {
            try? FileManager.default.removeItem(atPath: path(name))
        }
    }

    /// Removes all files, at the end.
    func clear() {
        guard lock >= 0 else { return }
        files = [:]
        removeLeftovers()
    }

    /// - Throws: `APIError` 404 for names of nothing, and of files of others.
    func get(_ id: String, owner: String) throws -> StoredFile {
        guard let file = files[id], file.owner == owner else {
            throw APIError.notFound("No such file: '\(id.prefix(64))'.", param: "id", code: "file_not_found")
        }
        return file
    }

    func find(_ id: String, owner: String) throws -> Found {
        let file = try get(id, owner: owner)
        return Found(path: path(file.id), kind: file.kind)
    }

    func content(_ id: String, owner: String) throws -> [UInt8] {
        let found = try find(id, owner: owner)
        return Array(try Data(contentsOf: URL(fileURLWithPath: found.path), options: .mappedIfSafe))
    }

    func list(owner: String) -> [StoredFile] {
        files.values.filter { $0.owner == owner }.sorted { ($0.created, $0.id) > ($1.created, $1.id) }
    }

    func remove(_ id: String, owner: String) throws {
        let file = try get(id, owner: owner)
        files[id] = nil
        try? FileManager.default.removeItem(atPath: path(file.id))
    }
}

enum FileStoreError: Error, LocalizedError {
    case inUse(String)
    var errorDescription: String? {
        switch self {
        case .inUse(let folder): "the folder \(folder) cannot be locked; another server uses it: give each its own with --files"
        }
    }
}
