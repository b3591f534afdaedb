// Files and bytes -> mono samples. Knows nothing of models; 16 kHz is only the default.
import CFFmpeg

/// What becomes of several channels.
public enum ChannelPolicy: Sendable {
    /// Their average (surround: FFmpeg's downmix, scaled so that it cannot clip).
    case mix
    /// Channel 0 alone, as the original release does.
    case first
}

/// Reads the sound of an audio or video file as mono samples in -1...1, piece by piece, so that a recording of hours
/// needs no more memory than a short one. Other rates are resampled with the filter of libswresample that is nearest to
/// the one the model was trained with (torchaudio's default). Not for use from several threads at once.
public final class AudioReader {
    private let source: String
    private let input: OpaquePointer
    private let audio: OpaquePointer
    private let rate: Int
    private let promisedDuration: Double?
    private var delivered = 0
    private var ended = false

    /// Length in seconds as the file tells or suggests it; nil for streams and where it is unknown.
    public let estimatedDuration: Double?
    public let sourceSampleRate: Int
    public let sourceChannels: Int
    /// FFmpeg's name, e.g. "mp3", "pcm_s16le".
    public let codecName: String
    /// Damage that was skipped over or an early end, in words, once it has been met. The samples read are still good.
    public private(set) var warning: String?
    /// Samples delivered so far that were no numbers in the file (NaN or infinite) and became silence.
    public var replacedSamples: Int { Int(cff_audio_replaced(audio)) }

    /// Opens a source and finds its sound.
    /// - Parameters:
    ///   - source: audio file, video file with sound, or bytes of one.
    ///   - sampleRate: of the samples delivered, in Hz.
    ///   - channels: how several channels become one.
    /// - Throws: `MediaError`.
    public init(
        _ source: MediaSource, sampleRate: Int = 16_000, channels: ChannelPolicy = .mix, limits: MediaLimits = .init()
    ) throws(MediaError) {
        guard (1_000...768_000).contains(sampleRate) else {
            throw .invalidArgument("A sample rate of \(sampleRate) Hz cannot be produced; ask for 1000 to 768000 Hz.")
        }
        let description = source.description
        let open = try OpenSource(source, limits: limits, seeking: false)
        let input = try openInput(open, source, containers: Containers.withSound, kind: "audio", limits: limits)
        do throws(MediaError) {
            _ = try checked(description, "audio") { cff_input_select(input, true, 1, &$0) }
            let audio = try checked(description, "audio") { cff_audio_open(input, Int32(sampleRate), channels == .first, &$0) }
            guard let audio else { throw .corrupt(source: description, reason: "no decoder") }
            self.audio = audio
        } catch {
            cff_input_close(input)
            throw error
        }
        self.source = description
        self.input = input
        rate = sampleRate
        let info = cff_input_info(input)
        codecName = String(cString: info.codec)
        estimatedDuration = info.duration > 0 ? info.duration : nil
        let promised = codecName.hasPrefix("pcm_") ? max(info.promised, WaveHeader.seconds(source) ?? 0) : info.promised
        promisedDuration = promised > 0 ? promised : nil
        sourceSampleRate = Int(info.sample_rate)
        sourceChannels = Int(info.channels)
    }

    deinit {
        cff_audio_close(audio)
        cff_input_close(input)
    }

    /// The next samples, `maximumCount` unless the end is near; none at the end.
    /// - Throws: `MediaError.corrupt` when nothing at all could be decoded, `.notReadable` when reading breaks off.
    public func read(maximumCount: Int) throws(MediaError) -> [Float] {
        var samples: [Float] = []
        while !ended, samples.count < maximumCount {
            let piece = try readPiece(min(maximumCount - samples.count, Self.largestPiece))
            if samples.isEmpty { samples = piece } else { samples += piece }
        }
        return samples
    }

    private static let largestPiece = 1 << 20

    private func readPiece(_ count: Int) throws(MediaError) -> [Float] {
        let samples = try checked(source, "audio") { status in
            [Float](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = max(0, Int(cff_audio_read(audio, buffer.baseAddress, Int64(count), &status)))
            }
        }
        delivered += samples.count
        if samples.count < count { try finish() }
        return samples
    }

    /// All samples of a source. For recordings that fit into memory (4 bytes a sample: 230 MB an hour).
    public static func readAll(
        _ source: MediaSource, sampleRate: Int = 16_000, channels: ChannelPolicy = .mix
    ) throws(MediaError) -> [Float] {
        let reader = try AudioReader(source, sampleRate: sampleRate, channels: channels)
        var samples: [Float] = []
        while case let chunk = try reader.read(maximumCount: 1 << 16), !chunk.isEmpty { samples += chunk }
        return samples
    }

    private func finish() throws(MediaError) {
        ended = true
        let progress = cff_input_progress(input)
        let seconds = Double(delivered) / Double(rate)
        if delivered == 0 && (progress.bad_packets > 0 || progress.read_failed || (estimatedDuration ?? 0) > 0) {
            throw .corrupt(
                source: source, reason: "no sound could be decoded (\(codecName))",
                position: progress.first_bad_seconds >= 0 ? progress.first_bad_seconds : nil)
        }
        warning = damageReport(progress, decoded: seconds, expected: promisedDuration)
    }
}

/// What the header of a WAV file promises. FFmpeg goes by the file's size instead, so that it does not notice the end of one
/// that was cut short.
private enum WaveHeader {
    static func seconds(_ source: MediaSource) -> Double? {
        let view = ByteView((source.beginning(1 << 16) ?? [])[...])
        guard view.tag(0) == "RIFF", view.tag(8) == "WAVE" else { return nil }
        var offset = 12, rate = 0
        while let type = view.tag(offset), let length = view.number(offset + 4, bytes: 4, bigEndian: false) {
            if type == "fmt " { rate = view.number(offset + 16, bytes: 4, bigEndian: false) ?? 0 }
            if type == "data" {
                // Programs that did not know the length wrote 0 or a number near 2^31 or 2^32.
                return rate > 0 && length > 0 && length < 0x7FFF_0000 ? Double(length) / Double(rate) : nil
            }
            offset += 8 + length + length % 2
        }
        return nil
    }
}

/// Opens a container for reading.
func openInput(
    _ open: OpenSource, _ source: MediaSource, containers: String, kind: String, limits: MediaLimits
) throws(MediaError) -> OpaquePointer {
    let input = try checked(source.description, kind) { status in
        open.withSource { cff_input_open($0, containers, Int64(limits.pixels), &status) }
    }
    guard let input else { throw .corrupt(source: source.description, reason: "it does not open") }
    return input
}

/// Words for what a decoder had to skip, or nil.
func damageReport(_ progress: cff_progress, decoded: Double, expected: Double?) -> String? {
    var parts: [String] = []
    if progress.io_failed { parts.append("reading failed before the end") }
    if progress.bad_packets > 0 {
        let place = progress.first_bad_seconds >= 0 ? ", the first at \(seconds(progress.first_bad_seconds))" : ""
        parts.append("\(progress.bad_packets) damaged piece\(progress.bad_packets == 1 ? "" : "s") skipped\(place)")
    }
    if let expected, decoded < expected * 0.95 - 0.2 {
        parts.append("the file ends after \(seconds(decoded)) of \(seconds(expected))")
    } else if progress.read_failed {
        parts.append("the file breaks off after \(seconds(decoded))")
    }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
}

private func seconds(_ value: Double) -> String { "\((value * 100).rounded() / 100) s" }
