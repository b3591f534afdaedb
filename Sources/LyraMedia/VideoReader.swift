// Video files -> RGB frames by index. Animations and stills work too.
import CFFmpeg
import Foundation

/// What a video file says about itself.
public struct VideoInfo: Sendable, Equatable {
    /// As shown, after rotation.
    public let width: Int
    public let height: Int
    /// Exact: from the container's table, else counted.
    public let frameCount: Int
    /// Average frames a second; 0 for stills.
    public let frameRate: Double
    /// Seconds; 0 for stills.
    public let duration: Double
    public let hasAudio: Bool
    /// FFmpeg's name, e.g. "h264".
    public let codec: String
}

/// Frames of a video file, animated GIF or PNG, or still picture. Frame i is the i-th in order of presentation.
/// Pixels are not corrected for non-square shape; HDR is not tone-mapped. Not for use from several threads at once.
public final class VideoReader {
    public let info: VideoInfo
    /// Damage that was skipped over or an early end, in words, once it has been met.
    public private(set) var warning: String?

    private let source: String
    private let limits: MediaLimits
    private let input: OpaquePointer?
    private let still: RGBImage?
    private let alpha: AlphaPolicy
    private let orientation: Int
    /// Number of the frame that the decoder delivers next.
    private var position = 0
    private var table: FrameTable?
    /// Number of frames that can be decoded, as far as is known: fewer than promised once the end has come early.
    private var available: Int

    /// Longest run of frames that is simply decoded, before it is worth listing them to jump.
    private static let patience = 48
    private static let maximumFrames = 20_000_000

    /// Opens a source and finds its video.
    /// - Throws: `MediaError`.
    public init(_ source: MediaSource, alpha: AlphaPolicy = .white, limits: MediaLimits = .init()) throws(MediaError) {
        self.source = source.description
        self.limits = limits
        self.alpha = alpha
        let open = try OpenSource(source, limits: limits, seeking: true)
        if let format = open.stillFormat() {
            let bytes = try open.readAll(limit: limits.pictureBytes, source: source.description)
            let decoder = PictureDecoder(source: source.description, alpha: alpha, limits: limits)
            let (picture, damage) = try decoder.decode(bytes)
            warning = damage
            still = picture
            input = nil
            orientation = 1
            available = 1
            info = VideoInfo(
                width: picture.width, height: picture.height, frameCount: 1, frameRate: 0, duration: 0, hasAudio: false,
                codec: format.rawValue)
            return
        }
        let input = try openInput(open, source, containers: Containers.withVideo, kind: "video", limits: limits)
        do throws(MediaError) {
            let threads = Int32(min(ProcessInfo.processInfo.activeProcessorCount, 8))
            _ = try checked(source.description, "video") { cff_input_select(input, false, threads, &$0) }
            let raw = cff_input_info(input)
            var counted: FrameTable?
            if raw.frame_count <= 0 {
                counted = try FrameTable(scanning: input, limit: Self.maximumFrames, source: source.description)
                _ = try checked(source.description, "video") { cff_input_rewind(input, &$0) }
            }
            let frames = counted?.count ?? Int(raw.frame_count)
            guard frames > 0 else { throw .corrupt(source: source.description, reason: "it has no frames") }
            var width = Int(raw.width), height = Int(raw.height)
            if width <= 0 || height <= 0 {  // the header does not say
                guard try checked(source.description, "video", { cff_input_next(input, &$0) }) == 1 else {
                    throw .corrupt(source: source.description, reason: "no frame could be decoded")
                }
                (width, height) = (Int(cff_input_frame_width(input)), Int(cff_input_frame_height(input)))
                _ = try checked(source.description, "video") { cff_input_rewind(input, &$0) }
            }
            try limits.check(width: width, height: height, source: source.description)
            let turned = raw.orientation >= 5
            info = VideoInfo(
                width: turned ? height : width, height: turned ? width : height, frameCount: frames,
                frameRate: raw.frame_rate,
                duration: raw.duration > 0 ? raw.duration : raw.frame_rate > 0 ? Double(frames) / raw.frame_rate : 0,
                hasAudio: raw.has_audio, codec: String(cString: raw.codec))
            orientation = Int(raw.orientation)
            table = counted
            available = frames
        } catch {
            cff_input_close(input)
            throw error
        }
        self.input = input
        still = nil
    }

    deinit { cff_input_close(input) }

    /// The frames with these numbers.
    /// - Parameter indices: ascending, from 0 to `info.frameCount - 1`; repeats are allowed.
    /// - Throws: `MediaError`. A video that ends early gives its last frame for the missing ones, and a `warning`.
    public func frames(at indices: [Int]) throws(MediaError) -> [RGBImage] {
        do {
            return try frames(at: indices) { $0 }
        } catch let error as MediaError {
            throw error
        } catch {
            throw .corrupt(source: source, reason: error.localizedDescription)
        }
    }

    /// The frames with these numbers, each put through `transform` as it is decoded, so that only the results (say,
    /// small copies) stay in memory.
    public func frames<Result>(at indices: [Int], transform: (RGBImage) throws -> Result) throws -> [Result] {
        guard zip(indices, indices.dropFirst()).allSatisfy(<=), indices.allSatisfy({ (0..<info.frameCount).contains($0) })
        else {
            throw MediaError.invalidArgument(
                "Frame numbers must ascend and lie between 0 and \(info.frameCount - 1); got \(indices.prefix(8)).")
        }
        if let still { return try indices.map { _ in try transform(still) } }
        var results: [Result] = []
        results.reserveCapacity(indices.count)
        var delivered = -1  // number of the frame in the last result
        for index in indices {
            let number = try index == delivered ? index : reach(index)
            if number == delivered, let last = results.last {
                results.append(last)
            } else {
                results.append(try transform(try currentFrame()))
                delivered = number
            }
        }
        if warning == nil { warning = damageReport(cff_input_progress(input), decoded: 0, expected: nil) }
        return results
    }

    /// Makes a frame the decoder's current one: that of the number, or the last one if the video ends before.
    /// - Returns: its number.
    private func reach(_ index: Int) throws(MediaError) -> Int {
        let wanted = min(index, available - 1)
        if wanted == position - 1 { return wanted }
        if try advance(to: wanted) { return wanted }
        let last = position - 1
        try rewind()
        guard last >= 0, try advance(to: last) else {
            let bad = cff_input_progress(input).first_bad_seconds
            throw .corrupt(source: source, reason: "no frame could be decoded (\(info.codec))", position: bad >= 0 ? bad : nil)
        }
        available = last + 1
        warning = "the video ends after \(available) of \(info.frameCount) frames"
        return last
    }

    /// Decodes until the frame of that number is the current one. False if the video ends before.
    private func advance(to index: Int) throws(MediaError) -> Bool {
        if index < position { try rewind() }
        if index - position > Self.patience, table == nil, info.codec != "gif", info.codec != "apng" {
            try rewind()  // what was decoded so far belongs into the table as well
            table = try FrameTable(scanning: input, limit: Self.maximumFrames, source: source)
            try rewind()
        }
        if let table, table.canSeek, let key = table.key(before: index), key > position {
            if cff_input_seek(input, table.timestamps[key]), try decode(), let number = currentNumber(table), number <= index {
                position = number + 1
                if number == index { return true }
            } else {
                try rewind()
            }
        }
        while position <= index {
            guard try decode() else { return false }
            // Where time stamps tell, a frame that could not be decoded does not shift the others.
            position = max(table.flatMap { $0.canSeek ? currentNumber($0) : nil } ?? position, position) + 1
        }
        return true
    }

    private func rewind() throws(MediaError) {
        _ = try checked(source, "video") { cff_input_rewind(input, &$0) }
        position = 0
    }

    private func decode() throws(MediaError) -> Bool {
        try checked(source, "video") { cff_input_next(input, &$0) } == 1
    }

    private func currentNumber(_ table: FrameTable) -> Int? {
        table.number(at: cff_input_timestamp(input))
    }

    private func currentFrame() throws(MediaError) -> RGBImage {
        let width = Int(cff_input_frame_width(input)), height = Int(cff_input_frame_height(input))
        try limits.check(width: width, height: height, source: source)
        let frame = try RGBImage(width: width, height: height) { (pixels) throws(MediaError) in
            _ = try checked(source, "video") { cff_input_frame_rgb(input, alpha == .white, pixels.baseAddress, &$0) }
        }
        let shown = frame.oriented(orientation)
        // A stream may change its size on the way; all frames come in the first one's.
        if shown.width == info.width && shown.height == info.height { return shown }
        return shown.resized(width: info.width, height: info.height)
    }
}
