// What a run reads: a data file, where its media lie, and how often it is gone through.
import Foundation
import LyraMedia

/// A data file of a run, as the run's configuration names it.
public struct DataSource: Codable, Sendable, Equatable {
    /// A JSON list or JSON lines in the release's format (docs/training-data.md).
    public var path: String
    /// What relative paths of media are relative to; the data file's folder by default.
    public var mediaFolder: String?
    /// The same for pictures and videos alone, and for recordings alone, as the release keeps them apart.
    public var imageFolder: String?
    public var speechFolder: String?
    /// Speech units by sample id: `id|12 7 7 3` a line, or JSON lines.
    public var unitsFile: String?
    /// How often an epoch goes through the file. 0.25 takes another quarter in each of four epochs.
    public var repeats: Double
    /// Whether every question of an item is asked by itself: it sees the pictures and recordings, which all stand in the
    /// first question, and nothing of the other turns. Many questions for the price of one picture.
    public var independentTurns: Bool
    /// How recordings are changed, another way each time a sample is met. What a frozen encoder makes of them is not kept then.
    public var speechAugmentation: SpeechAugmentation?
    /// Positions over which a recording's windows may lie spread, in order, with a few gaps at random: minutes that teach what hours
    /// ask for (PoSE, arXiv 2309.10400).
    public var positionSpan: Int?
    /// Whether the run's extractor, where there is one, drops tokens of these samples.
    public var usesExtractor: Bool

    public init(
        _ path: String, mediaFolder: String? = nil, imageFolder: String? = nil, speechFolder: String? = nil,
        unitsFile: String? = nil, repeats: Double = 1, independentTurns: Bool = false,
        speechAugmentation: SpeechAugmentation? = nil, positionSpan: Int? = nil, usesExtractor: Bool = true
    ) {
        (self.path, self.mediaFolder, self.imageFolder, self.speechFolder) = (path, mediaFolder, imageFolder, speechFolder)
        (self.unitsFile, self.repeats, self.independentTurns) = (unitsFile, repeats, independentTurns)
        (self.speechAugmentation, self.positionSpan, self.usesExtractor) = (speechAugmentation, positionSpan, usesExtractor)
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        path = try values.decode(String.self, forKey: .path)
        mediaFolder = try values.decodeIfPresent(String.self, forKey: .mediaFolder)
        imageFolder = try values.decodeIfPresent(String.self, forKey: .imageFolder)
        speechFolder = try values.decodeIfPresent(String.self, forKey: .speechFolder)
        unitsFile = try values.decodeIfPresent(String.self, forKey: .unitsFile)
        repeats = try values.decodeIfPresent(Double.self, forKey: .repeats) ?? 1
        independentTurns = try values.decodeIfPresent(Bool.self, forKey: .independentTurns) ?? false
        speechAugmentation = try values.decodeIfPresent(SpeechAugmentation.self, forKey: .speechAugmentation)
        positionSpan = try values.decodeIfPresent(Int.self, forKey: .positionSpan)
        usesExtractor = try values.decodeIfPresent(Bool.self, forKey: .usesExtractor) ?? true
    }

    /// The same with all paths absolute; relative ones are relative to `folder`.
    public func resolved(in folder: String) -> DataSource {
        func place(_ path: String) -> String { MediaFolders.join(folder, path) }
        var source = self
        source.path = place(path)
        source.mediaFolder = mediaFolder.map(place)
        source.imageFolder = imageFolder.map(place)
        source.speechFolder = speechFolder.map(place)
        source.unitsFile = unitsFile.map(place)
        return source
    }
}

/// Folders that a sample's media are looked for in.
public struct MediaFolders: Sendable, Equatable {
    public var pictures: String
    public var speech: String

    public init(pictures: String, speech: String) { (self.pictures, self.speech) = (pictures, speech) }

    init(_ source: DataSource) {
        let common = source.mediaFolder ?? (source.path as NSString).deletingLastPathComponent
        pictures = source.imageFolder ?? common
        speech = source.speechFolder ?? common
    }

    static func join(_ folder: String, _ path: String) -> String {
        path.hasPrefix("/") || folder.isEmpty ? path : "\(folder)/\(path)"
    }
}
