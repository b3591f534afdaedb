// Media named on the command line: checked before the model is loaded, "-" read from standard input.
import Foundation
import Lyra
import LyraMedia

/// A medium of a request.
struct MediumArgument: Equatable {
    enum Kind: String { case image, video, videoSound, speech }
    var kind: Kind
    var path: String

    /// Opens the file as far as it takes to know that it can be used.
    func check() throws {
        guard path != "-" else { return }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw MissingInput("no file at \(path)")
        }
        guard !isFolder.boolValue else { throw MissingInput("\(path) is a folder; give a file") }
        guard access(path, R_OK) == 0 else { throw MissingInput("no permission to read \(path)") }
        // Pipes and devices can be read but once.
        guard (try? FileManager.default.attributesOfItem(atPath: path)[.type]) as? FileAttributeType == .typeRegular else { return }
        switch kind {
        case .image: _ = try ImageReader.read(.file(path))
        case .video: _ = try VideoReader(.file(path))
        case .videoSound:
            guard try VideoReader(.file(path)).info.hasAudio else {
                throw MediaUseError.noSoundTrack((path as NSString).lastPathComponent)
            }
            _ = try AudioReader(.file(path))
        case .speech: _ = try AudioReader(.file(path))
        }
    }
}

/// The media of one request.
struct MediaArguments {
    /// In the order of the prompt.
    var media: [MediumArgument]
    /// Whether media are read a second time, for the evidence picture.
    var isReadTwice = false

    func check() throws {
        let streams = Set(media.filter { $0.path == "-" }.map { $0.kind == .videoSound ? .video : $0.kind })
        guard streams.count <= 1, media.count(where: { $0.path == "-" && $0.kind != .videoSound }) <= 1 else {
            throw UsageError("standard input ('-') can be only one of the media")
        }
        for medium in media { try medium.check() }
    }

    /// The media as parts of a message.
    func parts() throws -> [Part] {
        let uses = media.count(where: { $0.path == "-" })
        let input: MediaSource =
            uses > 1 || (uses == 1 && isReadTwice)
            ? .bytes([UInt8](FileHandle.standardInput.readDataToEndOfFile())) : .file("-")
        return media.map { medium in
            let source = medium.path == "-" ? input : .file(medium.path)
            return switch medium.kind {
            case .image: .image(source)
            case .video: .video(source)
            case .videoSound, .speech: .speech(source)
            }
        }
    }
}
