// Recordings with what is said in them, from data files: one object an item with "speech" and "speech_asr".
import Foundation
import LyraMedia
import LyraModel

/// The recordings of several data files, numbered through. Other keys of their items do not matter, so that the data
/// files of all stages can be used.
public struct Recordings: Sendable {
    /// One recording.
    public struct Item: Sendable, Equatable {
        public var id: String
        /// Path of the sound.
        public var path: String
        public var transcript: String?
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
        var voice: String?
        enum CodingKeys: String, CodingKey {
            case id, speech, voice
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
            voice: stored.voice)
    }

    /// Its sound: 16 kHz, mono.
    public static func samples(_ item: Item) throws -> [Float] {
        try AudioReader.readAll(.file(item.path), sampleRate: LogMel.sampleRate)
    }
}
