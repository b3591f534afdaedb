// Reads the media of a request once more, to draw evidence on them: peaks of sound, pictures as they are, and the frames of
// a video that the model saw.
import Foundation
import LyraMedia
import LyraModel

extension EvidencePicture {
    /// The media of a request's `parts`.
    ///
    /// - Parameters:
    ///   - maximumFrames: as in the request's options.
    ///   - isCompatible: as in the model's options.
    public static func media(of parts: [Part], maximumFrames: Int = 16, isCompatible: Bool = false) throws -> [Medium] {
        try parts.compactMap { part in
            switch part {
            case .text: nil
            case .image(let source):
                .frames(
                    [try ImageReader.read(source, alpha: isCompatible ? .drop : .white)], times: [], name: name(source, "picture"))
            case .video(let source): try video(source, maximumFrames: maximumFrames)
            case .speech(let source):
                .sound(
                    try Waveform(reading: source, channels: isCompatible ? .first : .mix), name: name(source, "sound"))
            case .samples(let samples): .sound(Waveform(samples), name: "sound")
            case .recording: .sound(Waveform([]), name: "sound")  // its samples are not kept
            }
        }
    }

    private static func video(_ source: MediaSource, maximumFrames: Int) throws -> Medium {
        let reader = try VideoReader(source)
        let rate = reader.info.frameRate
        let count = try ImageGeometry.frameCount(total: reader.info.frameCount, framesPerSecond: rate, maximum: maximumFrames)
        let pairs = stride(from: 0, to: count, by: 2)
        let indices = ImageGeometry.frameIndices(total: reader.info.frameCount, count: count)
        let shown = pairs.map { indices[$0] }
        return .frames(
            try reader.frames(at: shown), times: shown.map { rate > 0 ? Double($0) / rate : 0 }, name: name(source, "video"))
    }

    private static func name(_ source: MediaSource, _ kind: String) -> String {
        if case .file(let path) = source, path != "-" { (path as NSString).lastPathComponent } else { kind }
    }
}
