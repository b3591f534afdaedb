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
    var facts: MediumFacts
    /// Speech of a single window, before projection.
    var frames: SpeechFrames?
    /// Windows that did not need the encoder.
    var knownWindows = 0
}

/// Encodes media for one request; `report` hears of progress and may throw to stop.
final class MediaEncoder {
    let model: LyraModel
    let isCompatible: Bool
    /// Where encoded speech is kept.
    private let cache: SpeechCache?
    /// What other conversations have encoded.
    var known = KnownMedia()
    let trace: Trace?
    let report: (Stage, Double) throws -> Void
    private(set) var timings = Timings()
    private let clock = ContinuousClock()

    init(
        model: LyraModel, isCompatible: Bool, cache: SpeechCache?, trace: Trace?,
        report: @escaping (Stage, Double) throws -> Void
    ) {
        (self.model, self.isCompatible, self.trace, self.report) = (model, isCompatible, trace, report)
        // A trace shows every stage at work.
        self.cache = trace == nil ? cache : nil
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
        var digest = SHA256()
        digest.update("vision \(grid.time) \(grid.height) \(grid.width) ")
        patches.values.withUnsafeBytes { digest.update($0) }
        let name = digest.hex()
        let medium = try known.vision[name] ?? timed(.visionEncoder) { try model.encode(patches) }
        if case .vision(let tokens, _) = medium { trace?.record("vision_tokens", tokens) }
        try report(.visionEncoder, 1)
        return EncodedPart(medium: medium, facts: MediumFacts(digest: name))
    }

    // MARK: Sound

    /// A recording whose windows are encoded already.
    func speech(_ recording: RecordingState, adapter: (Int) -> Adapter?) throws -> EncodedPart {
        let windows = recording.all
        guard let first = windows.first else { throw MediaUseError.noSound("the recording") }
        var facts = MediumFacts(digest: "")
        facts.windows = windows.map(\.digest)
        facts.seconds = recording.duration
        facts.projector = adapter(windows.count)
        facts.digest = Self.digest(ofWindows: facts.windows)
        let tokens = timed(.speechEncoder) { windows.map { model.project($0.frames, adapter: facts.projector) } }
        return EncodedPart(
            medium: .speech(tokens: tokens.count == 1 ? tokens[0] : concatenated(tokens, axis: 0)), facts: facts,
            frames: windows.count == 1 ? SpeechFrames(frames: first.frames, projector: facts.projector) : nil)
    }

    /// `adapter` tells which adapter, and so which projector, goes with a number of windows (1, or 2 for more).
    func speech(_ source: MediaSource, adapter: (Int) -> Adapter?, on lyra: isolated Lyra) async throws -> EncodedPart {
        var duration: Double?
        let windows = try timed(.media) {
            try SoundWindows(source, size: model.logMel.windowSamples, isCompatible: isCompatible, duration: &duration)
        }
        return try await speech(windows, name: source.description, duration: duration, adapter: adapter, on: lyra)
    }

    func speech(_ samples: [Float], adapter: (Int) -> Adapter?, on lyra: isolated Lyra) async throws -> EncodedPart {
        let windows = SoundWindows(samples, size: model.logMel.windowSamples, isCompatible: isCompatible)
        let duration = Double(samples.count) / Double(LogMel.sampleRate)
        return try await speech(windows, name: "the sound", duration: duration, adapter: adapter, on: lyra)
    }

    private func speech(
        _ windows: SoundWindows, name: String, duration: Double?, adapter: (Int) -> Adapter?, on lyra: isolated Lyra
    ) async throws -> EncodedPart {
        let windowSeconds = Double(model.logMel.windowSamples) / Double(LogMel.sampleRate)
        let expected = duration.map { max(1, ($0 / windowSeconds).rounded(.up)) }
        var tokens: [MLXArray] = [], facts = MediumFacts(digest: ""), knownWindows = 0
        var single: MLXArray?
        cache?.beginRecording()
        while let window = try timed(.media, { try windows.next() }) {
            try report(.speechEncoder, min(1, Double(window.index) / (expected ?? .infinity)))
            let began = clock.now
            facts.seconds += Double(window.samples.count) / Double(LogMel.sampleRate)
            let digest = Self.digest(window.samples)
            facts.windows.append(digest)
            let isSingle = window.isLast && window.index == 0
            if !isSingle, let found = known.tokens(digest) {
                tokens.append(found)
                knownWindows += 1
            } else {
                let (frames, wasKnown) = try frames(window, digest)
                if wasKnown { knownWindows += 1 }
                tokens.append(model.project(frames, adapter: adapter(isSingle ? 1 : 2)))
                if isSingle { single = frames }
            }
            timings.add(.speechEncoder, clock.now - began)
            await Task.yield()
        }
        guard !tokens.isEmpty else { throw MediaUseError.noSound(name) }
        try report(.speechEncoder, 1)
        let all = tokens.count == 1 ? tokens[0] : concatenated(tokens, axis: 0)
        eval(all)
        trace?.append("speech_tokens", all)
        facts.projector = adapter(facts.windows.count)
        facts.digest = Self.digest(ofWindows: facts.windows)
        return EncodedPart(
            medium: .speech(tokens: all), facts: facts,
            frames: single.map { SpeechFrames(frames: $0, projector: facts.projector) }, knownWindows: knownWindows)
    }

    /// Encoder frames of a window, and whether they were known.
    private func frames(_ window: SoundWindow, _ digest: String) throws -> (MLXArray, Bool) {
        if let found = known.frames[digest] ?? cache?.frames(digest) { return (found, true) }
        let spectrum = model.logMel(window.samples)
        let frames = try model.encodeWindow(spectrum)
        trace?.append("mel", spectrum.expandedDimensions(axis: 0))
        trace?.append("speech_encoder", frames)
        cache?.store(digest, frames)
        return (frames, false)
    }

    private static func digest(ofWindows windows: [String]) -> String {
        var digest = SHA256()
        for window in windows { digest.update(window) }
        return digest.hex()
    }

    static func digest(_ samples: [Float]) -> String {
        var digest = SHA256()
        digest.update(samples)
        return digest.hex()
    }

    private func timed<T>(_ stage: Stage, _ body: () throws -> T) rethrows -> T {
        let start = clock.now
        let result = try body()
        timings.add(stage, clock.now - start)
        return result
    }
}
