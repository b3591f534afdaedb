// Recordings with what is said in them, from data files: one object an item with "speech" and "speech_asr".
import Foundation
import LyraMedia
import LyraModel
import Synchronization

/// The recordings of several data files, numbered through. Other keys of their items do not matter, so that the data
/// files of all stages can be used.
public struct Recordings: Sendable {
    /// One recording.
    public struct Item: Sendable, Equatable {
        public var id: String
        /// Path of the sound.
        public var path: String
        public var transcript: String?
        /// When its words are said, where that is known.
        public var words: [TimedWord]?
        public var voice: String?
    }

    private struct Part: Sendable {
        let file: DataFile
        let folders: MediaFolders
        let first: Int
    }

    private let parts: [Part]
    public let count: Int
    /// Tells data files apart that have changed.
    public let fingerprint: String

    /// Opens the files; nothing is decoded.
    /// - Throws: ``DataFileError``.
    public init(_ sources: [DataSource]) throws {
        var parts: [Part] = [], count = 0
        for source in sources {
            let file = try DataFile(source.path)
            parts.append(Part(file: file, folders: MediaFolders(source), first: count))
            count += file.count
        }
        guard count > 0 else { throw DataFileError.noSamples(paths: sources.map(\.path)) }
        (self.parts, self.count) = (parts, count)
        fingerprint = "recordings \(count)"
    }

    private struct Stored: Decodable {
        var id: String?
        var speech: String?
        var transcript: String?
        var words: [TimedWord]?
        var voice: String?
        enum CodingKeys: String, CodingKey {
            case id, speech, words, voice
            case transcript = "speech_asr"
        }
    }

    /// - Throws: ``BadSample`` if the item is no recording, ``DataFileError`` if the data file is gone.
    public func item(_ index: Int) throws -> Item {
        guard let part = parts.last(where: { $0.first <= index }) else { throw DataFileError.noSamples(paths: []) }
        let place = index - part.first
        let stored: Stored
        do { stored = try JSONDecoder().decode(Stored.self, from: Data(part.file.bytes(place))) } catch let error as DecodingError {
            throw part.file.bad(place, id: nil, SampleFault(.wrongKey, error.summary))
        }
        guard let speech = stored.speech else {
            throw part.file.bad(place, id: stored.id, SampleFault(.wrongKey, key: "speech", "the path of a recording is missing"))
        }
        let stem = ((speech as NSString).lastPathComponent as NSString).deletingPathExtension
        return Item(
            id: stored.id ?? stem, path: MediaFolders.join(part.folders.speech, speech), transcript: stored.transcript,
            words: stored.words, voice: stored.voice)
    }

    /// Its sound: 16 kHz, mono.
    public static func samples(_ item: Item) throws -> [Float] {
        try AudioReader.readAll(.file(item.path), sampleRate: LogMel.sampleRate)
    }
}

/// Decoded recordings, kept up to a limit: opening a compressed file costs milliseconds, as much as training on a second of it.
final class SoundCache: Sendable {
    private struct State {
        var kept: [String: [Int16]] = [:]
        var bytes = 0
    }
    private let state = Mutex(State())
    private let limit: Int

    /// - Parameter limit: bytes, 2 a sample.
    init(limit: Int) { self.limit = limit }

    func samples(_ item: Recordings.Item) throws -> [Float] {
        if let found = state.withLock({ $0.kept[item.path] }) { return found.map { Float($0) / 32_767 } }
        let samples = try Recordings.samples(item)
        let small = samples.map { Int16(max(-1, min(1, $0)) * 32_767) }
        state.withLock { state in
            guard state.bytes + 2 * small.count <= limit, state.kept[item.path] == nil else { return }
            state.kept[item.path] = small
            state.bytes += 2 * small.count
        }
        // The same on every visit.
        return small.map { Float($0) / 32_767 }
    }
}
