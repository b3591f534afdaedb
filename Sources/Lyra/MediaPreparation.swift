// From files to what encoders are fed with: the same steps for requests and for training. Knows no network.
import LyraMedia
import LyraModel

/// How pictures, videos and recordings are read and brought to size.
public struct MediaPreparation: Sendable, Equatable {
    /// Sides of pictures become multiples of this many pixels: patch times merge.
    public var sideMultiple: Int
    public var minimumPixels: Int
    public var maximumPixels: Int
    /// Reads as the original release does where this implementation differs by choice.
    public var isCompatible: Bool

    /// For one model's vision tower.
    public init(vision: VisionConfiguration, processor: ImageProcessorConfiguration, isCompatible: Bool = false) {
        sideMultiple = vision.patchSize * vision.mergeSize
        (minimumPixels, maximumPixels) = (processor.minimumPixels, processor.maximumPixels)
        self.isCompatible = isCompatible
    }

    /// For Qwen2-VL's vision tower.
    public init() {
        let processor = ImageProcessorConfiguration()
        (sideMultiple, isCompatible) = (28, false)
        (minimumPixels, maximumPixels) = (processor.minimumPixels, processor.maximumPixels)
    }

    /// A picture in the size that the vision tower sees.
    /// - Parameter damage: told in words of parts that could not be decoded; may throw to refuse such a file.
    /// - Throws: `MediaError`, `ImageGeometryError`.
    public func image(_ source: MediaSource, damage: (String) throws -> Void = { _ in }) throws -> RGBImage {
        var (picture, warning) = try ImageReader.readReporting(source, alpha: isCompatible ? .drop : .white)
        if let warning { try damage(warning) }
        if isCompatible, let size = ImageGeometry.releasePreprocess(PixelSize(height: picture.height, width: picture.width)) {
            picture = picture.resizedNearest(width: size.width, height: size.height)
        }
        let size = try self.size(ofImage: PixelSize(height: picture.height, width: picture.width))
        return picture.resized(width: size.width, height: size.height)
    }

    /// The size that a picture is brought to.
    public func size(ofImage size: PixelSize) throws -> PixelSize {
        let first = isCompatible ? ImageGeometry.releasePreprocess(size) ?? size : size
        return try ImageGeometry.smartResize(
            first, factor: sideMultiple, minimumPixels: minimumPixels, maximumPixels: maximumPixels)
    }

    /// Frames of a video, evenly spaced, in the size that the vision tower sees; an even number.
    public func video(
        _ source: MediaSource, maximumFrames: Int, damage: (String) throws -> Void = { _ in }
    ) throws -> [RGBImage] {
        let reader = try VideoReader(source)
        let (count, size) = try frames(of: reader.info, maximumFrames: maximumFrames)
        let indices = ImageGeometry.frameIndices(total: reader.info.frameCount, count: count)
        let frames = try reader.frames(at: indices) { $0.resizedAntialiased(width: size.width, height: size.height) }
        if let warning = reader.warning { try damage(warning) }
        return frames
    }

    /// How many frames of a video are looked at, and in which size.
    public func frames(of video: VideoInfo, maximumFrames: Int) throws -> (count: Int, size: PixelSize) {
        let count = try ImageGeometry.frameCount(
            total: video.frameCount, framesPerSecond: video.frameRate, maximum: maximumFrames)
        let size = try ImageGeometry.smartResize(
            PixelSize(height: video.height, width: video.width), factor: sideMultiple, minimumPixels: 28 * 28 * 4,
            maximumPixels: ImageGeometry.maximumFramePixels(frames: count))
        return (count, size)
    }

    /// A recording, as mono samples at 16 kHz.
    public func sound(_ source: MediaSource) throws -> AudioReader { try Self.sound(source, isCompatible: isCompatible) }

    static func sound(_ source: MediaSource, isCompatible: Bool) throws -> AudioReader {
        try AudioReader(source, channels: isCompatible ? .first : .mix)
    }
}
