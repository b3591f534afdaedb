// From media to tokens: decode, preprocess, encode. Sound is read and encoded window by window, whatever its length.
import Foundation
import LyraMedia
import LyraModel
import MLX

/// Media that cannot be used as they are.
public enum MediaUseError: Error, LocalizedError, Equatable {
    case noSound(String)
    case noSoundTrack(String)
    case busy

    public var errorDescription: String? {
        switch self {
        case .noSound(let name): "\(name) holds no sound"
        case .noSoundTrack(let name): "the video \(name) has no sound track to listen to"
        case .busy: "the conversation is already making a reply; wait for it or cancel it first"
        }
    }
}

/// Encoder frames of a single-window speech, and the projector its tokens came from: what another would need.
struct SpeechFrames {
    let frames: MLXArray
    var projector: Adapter?
}

/// One medium as tokens, and what is known about it.
struct EncodedPart {
    var medium: EncodedMedium
    /// Speech of a single window, before projection.
    var frames: SpeechFrames?
    var windows = 0
    var seconds = 0.0
}

/// Encodes media for one request; `report` hears of progress and may throw to stop.
final class MediaEncoder {
    let model: LyraModel
    let isCompatible: Bool
    let trace: Trace?
    let report: (Stage, Double) throws -> Void
    private(set) var timings = Timings()
    private let clock = ContinuousClock()

    init(model: LyraModel, isCompatible: Bool, trace: Trace?, report: @escaping (Stage, Double) throws -> Void) {
        (self.model, self.isCompatible, self.trace, self.report) = (model, isCompatible, trace, report)
    }

    // MARK: Pictures

    func image(_ source: MediaSource) throws -> EncodedPart {
        let vision = try model.visionConfiguration()
        return try encode(try timed(.media) { try patches([preparation(vision).image(source)], vision) })
    }

    func video(_ source: MediaSource, maximumFrames: Int) throws -> EncodedPart {
        let vision = try model.visionConfiguration()
        return try encode(
            try timed(.media) { try patches(preparation(vision).video(source, maximumFrames: maximumFrames), vision) })
    }

    private func preparation(_ vision: VisionConfiguration) -> MediaPreparation {
        MediaPreparation(vision: vision, processor: model.imageProcessor, isCompatible: isCompatible)
    }

    private func patches(_ frames: [RGBImage], _ vision: VisionConfiguration) -> Patches {
        Patches(
            frames: frames.map(\.pixels), size: PixelSize(height: frames[0].height, width: frames[0].width), vision: vision,
            processor: model.imageProcessor)
    }

    private func encode(_ patches: Patches) throws -> EncodedPart {
        trace?.record("pixel_values", patches.values)
        let grid = patches.grid
        trace?.record("grid_thw", [Int32(grid.time), Int32(grid.height), Int32(grid.width)], [1, 3])
        try report(.visionEncoder, 0)
        let medium = try timed(.visionEncoder) { try model.encode(patches) }
        if case .vision(let tokens, _) = medium { trace?.record("vision_tokens", tokens) }
        try report(.visionEncoder, 1)
        return EncodedPart(medium: medium)
    }

    // MARK: Sound

    func speech(_ source: MediaSource, adapter: (Int) -> Adapter?) throws -> EncodedPart {
        let reader = try timed(.media) { try MediaPreparation.sound(source, isCompatible: isCompatible) }
        return try speech(
            name: source.description, duration: reader.estimatedDuration, adapter: adapter,
            read: { try reader.read(maximumCount: $0) })
    }

    func speech(_ samples: [Float], adapter: (Int) -> Adapter?) throws -> EncodedPart {
        var rest = samples[...]
        return try speech(name: "the sound", duration: Double(samples.count) / Double(LogMel.sampleRate), adapter: adapter) {
            let piece = rest.prefix($0)
            rest = rest.dropFirst(piece.count)
            return Array(piece)
        }
    }

    /// A recording whose windows are encoded already.
    func speech(_ recording: RecordingState, adapter: (Int) -> Adapter?) throws -> EncodedPart {
        let frames = recording.frames
        guard let first = frames.first else { throw MediaUseError.noSound("the recording") }
        let choice = adapter(min(frames.count, 2))
        let tokens = timed(.speechEncoder) { frames.map { model.project($0, adapter: choice) } }
        return EncodedPart(
            medium: .speech(tokens: tokens.count == 1 ? tokens[0] : concatenated(tokens, axis: 0)),
            frames: frames.count == 1 ? SpeechFrames(frames: first, projector: choice) : nil, windows: frames.count,
            seconds: recording.duration)
    }

    /// `adapter` tells which adapter, and so which projector, goes with a number of windows (1, or 2 for more).
    private func speech(
        name: String, duration: Double?, adapter: (Int) -> Adapter?, read: (Int) throws -> [Float]
    ) throws -> EncodedPart {
        let mel = model.logMel
        let windowSeconds = Double(mel.windowSamples) / Double(LogMel.sampleRate)
        let expected = duration.map { max(1, ($0 / windowSeconds).rounded(.up)) }
        var tokens: [MLXArray] = []
        var first: MLXArray?
        var total = 0, windows = 0
        while true {
            var window: [Float] = []
            try timed(.media) {
                while window.count < mel.windowSamples {
                    let piece = try read(mel.windowSamples - window.count)
                    if piece.isEmpty { break }
                    window += piece
                }
            }
            total += window.count
            // The original takes whole windows plus one, so it ends on an empty or partial one; we stop at the end.
            let isLast = window.count < mel.windowSamples
            if window.isEmpty, !(isCompatible && isLast && total > 0) { break }
            try report(.speechEncoder, min(1, Double(windows) / (expected ?? .infinity)))
            windows += 1
            let spectrum = mel(window)
            let frames = try timed(.speechEncoder) { try model.encodeWindow(spectrum) }
            trace?.append("mel", spectrum.expandedDimensions(axis: 0))
            trace?.append("speech_encoder", frames)
            if windows == 1 {
                first = frames
            } else {
                if let frames = first { tokens.append(model.project(frames, adapter: adapter(2))) }
                first = nil
                tokens.append(model.project(frames, adapter: adapter(2)))
            }
            if isLast { break }
        }
        guard windows > 0 else { throw MediaUseError.noSound(name) }
        try report(.speechEncoder, 1)
        if let first { tokens.append(model.project(first, adapter: adapter(1))) }
        let all = tokens.count == 1 ? tokens[0] : concatenated(tokens, axis: 0)
        eval(all)
        trace?.append("speech_tokens", all)
        return EncodedPart(
            medium: .speech(tokens: all), frames: first.map { SpeechFrames(frames: $0, projector: adapter(1)) }, windows: windows,
            seconds: Double(total) / Double(LogMel.sampleRate))
    }

    private func timed<T>(_ stage: Stage, _ body: () throws -> T) rethrows -> T {
        let start = clock.now
        let result = try body()
        timings.add(stage, clock.now - start)
        return result
    }
}
