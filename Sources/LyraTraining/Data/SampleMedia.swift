// Media of samples: found, decoded and checked. What inference lets pass with a warning, training refuses.
import Foundation
import Lyra
import LyraMedia
import LyraModel

/// Numbers that say how many tokens media become.
public struct MediaTokens: Sendable, Equatable {
    /// Frames that become one: 2 in Qwen2-VL.
    public var framesPerStep = 2
    /// Samples of one window of speech, and the tokens it becomes.
    public var windowSamples = 480_000
    public var tokensPerWindow = 300

    public init() {}

    public init(_ configuration: LyraConfiguration, vision: VisionConfiguration?, whisper: WhisperConfiguration?) {
        if let vision { framesPerStep = vision.temporalPatchSize }
        guard let whisper else { return }
        windowSamples = whisper.windowSamples
        tokensPerWindow = whisper.positions / configuration.speechStack
    }

    /// Of sound, which is a number a second whatever its length.
    var perSecond: Double { 16_000 * Double(tokensPerWindow) / Double(windowSamples) }
    func ofSound(samples: Int) -> Int { (samples + windowSamples - 1) / windowSamples * tokensPerWindow }
    func ofPicture(_ size: PixelSize, sideMultiple: Int) -> Int { size.height / sideMultiple * (size.width / sideMultiple) }
    func ofVideo(frames: Int, _ size: PixelSize, sideMultiple: Int) -> Int {
        (frames + framesPerStep - 1) / framesPerStep * ofPicture(size, sideMultiple: sideMultiple)
    }
}

/// Decodes a sample's media.
struct SampleMedia: Sendable {
    var preparation: MediaPreparation
    var tokens: MediaTokens
    var maximumFrames: Int

    func image(_ path: String, in folder: String) throws -> RGBImage {
        let source = try Self.find(Self.place(ofPicture: path, in: folder), key: "image")
        return try Self.decoding("image") { try preparation.image(source, damage: Self.refuse("image")) }
    }

    func video(_ path: String, in folder: String) throws -> [RGBImage] {
        let source = try Self.find(MediaFolders.join(folder, path), key: "video")
        return try Self.decoding("video") {
            try preparation.video(source, maximumFrames: maximumFrames, damage: Self.refuse("video"))
        }
    }

    /// - Parameter room: tokens that the sample has left; longer recordings are refused before they fill memory.
    func speech(_ path: String, in folder: String, room: Int?) throws -> [Float] {
        let source = try Self.find(MediaFolders.join(folder, path), key: "speech")
        return try Self.decoding("speech") {
            let reader = try preparation.sound(source)
            var samples: [Float] = []
            while case let piece = try reader.read(maximumCount: 1 << 18), !piece.isEmpty {
                samples += piece
                guard reader.replacedSamples == 0 else {
                    throw SampleFault(.invalidSound, key: "speech", "\(source.description) has samples that are no numbers")
                }
                if let room, tokens.ofSound(samples: samples.count) > room {
                    throw SampleFault(
                        .tooLong, key: "speech", "\(source.description) is longer than the \(max(0, room)) tokens that are left for it")
                }
            }
            if let warning = reader.warning {
                throw SampleFault(.damaged, key: "speech", "\(source.description): \(warning)")
            }
            guard !samples.isEmpty else {
                throw SampleFault(.emptySound, key: "speech", "\(source.description) holds no sound")
            }
            return samples
        }
    }

    // MARK: Sizes from headers

    /// Tokens a medium becomes, as its file's header tells.
    func count(_ medium: EncodedText.Medium, in folders: MediaFolders) throws -> Int {
        switch medium {
        case .image(let path):
            let source = try Self.find(Self.place(ofPicture: path, in: folders.pictures), key: "image")
            return try Self.decoding("image") {
                let size = try ImageReader.size(of: source)
                return tokens.ofPicture(
                    try preparation.size(ofImage: PixelSize(height: size.height, width: size.width)),
                    sideMultiple: preparation.sideMultiple)
            }
        case .video(let path):
            let source = try Self.find(MediaFolders.join(folders.pictures, path), key: "video")
            return try Self.decoding("video") {
                let (count, size) = try preparation.frames(of: VideoReader(source).info, maximumFrames: maximumFrames)
                return tokens.ofVideo(frames: count, size, sideMultiple: preparation.sideMultiple)
            }
        case .speech(let path, _):
            let source = try Self.find(MediaFolders.join(folders.speech, path), key: "speech")
            return try Self.decoding("speech") {
                let seconds = try preparation.sound(source).estimatedDuration ?? 0
                let samples = min(max(1, seconds * Double(LogMel.sampleRate)), 1e12)
                return tokens.ofSound(samples: Int(samples))
            }
        }
    }

    // MARK: Files

    /// A picture named `.jpg` that is not there may be there as `.gif` or `.png`, as in the release's data.
    private static func place(ofPicture path: String, in folder: String) -> String {
        let place = MediaFolders.join(folder, path)
        guard place.hasSuffix(".jpg"), access(place, F_OK) != 0 else { return place }
        return [".gif", ".png"].map { place.dropLast(4) + $0 }.first { access($0, F_OK) == 0 } ?? place
    }

    /// A regular file: a pipe or device would make the run wait.
    private static func find(_ path: String, key: String) throws -> MediaSource {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { throw SampleFault(.missingFile, key: key, "no file at '\(path)'") }
            throw SampleFault(.unreadable, key: key, "cannot read '\(path)': \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SampleFault(.unreadable, key: key, "'\(path)' is not a regular file")
        }
        return .file(path)
    }

    private static func refuse(_ key: String) -> (String) throws -> Void {
        { throw SampleFault(.damaged, key: key, $0) }
    }

    private static func decoding<Result>(_ key: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch MediaError.notFound(let path) {
            throw SampleFault(.missingFile, key: key, "no file at '\(path)'")
        } catch let error as MediaError {
            throw SampleFault(.unreadable, key: key, error.localizedDescription)
        } catch let error as ImageGeometryError {
            throw SampleFault(.unreadable, key: key, error.localizedDescription)
        }
    }
}
