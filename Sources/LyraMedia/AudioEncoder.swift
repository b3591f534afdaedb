// Samples -> the bytes of a sound file, piece by piece.
import CFFmpeg

/// Encodes mono samples while they come, for sending them on. Since nothing written can be changed any more, a WAV's
/// header states an unknown length and an MP3 lacks the note about its leading silence; `AudioFileWriter` has both.
/// Not for use from several threads at once.
public final class AudioEncoder {
    public let format: AudioFormat
    private let encoder: OpaquePointer
    private let target: String
    private var finished = false

    /// - Parameters:
    ///   - sampleRate: of the samples given, in Hz. Opus and MP3 know certain rates only; others are resampled.
    ///   - bitRate: bits a second for MP3 (default 64,000) and Opus (32,000).
    /// - Throws: `MediaError`.
    public convenience init(format: AudioFormat, sampleRate: Int, bitRate: Int? = nil) throws(MediaError) {
        try self.init(format: format, sampleRate: sampleRate, bitRate: bitRate, descriptor: -1, target: "data")
    }

    /// `descriptor`: an open file that the bytes go to, instead of being returned.
    init(format: AudioFormat, sampleRate: Int, bitRate: Int?, descriptor: Int32, target: String) throws(MediaError) {
        guard (1_000...384_000).contains(sampleRate) else {
            throw .invalidArgument("A sample rate of \(sampleRate) Hz cannot be written; use 1000 to 384000 Hz.")
        }
        if let bitRate, !(6_000...512_000).contains(bitRate) {
            throw .invalidArgument("A bit rate of \(bitRate) cannot be written; use 6000 to 512000 bits a second.")
        }
        let rate = Int64(format.bitRate(bitRate))
        let encoder = try checked(target, "audio") {
            cff_encoder_open(format.code, Int32(sampleRate), rate, descriptor, &$0)
        }
        guard let encoder else { throw .unsupported(source: target, reason: "no encoder for \(format.name)") }
        self.encoder = encoder
        self.format = format
        self.target = target
    }

    deinit { cff_encoder_close(encoder) }

    /// Encodes more samples (-1...1; others are clipped, NaN is silence).
    /// - Returns: the bytes that are ready, possibly none.
    public func append(_ samples: [Float]) throws(MediaError) -> [UInt8] {
        guard !finished else { throw .invalidArgument("This encoder is finished; make a new one.") }
        _ = try checked(target, "audio") { status in
            samples.withUnsafeBufferPointer { cff_encoder_append(encoder, $0.baseAddress, Int64($0.count), &status) }
        }
        return take()
    }

    /// Ends the file.
    /// - Returns: its last bytes.
    public func finish() throws(MediaError) -> [UInt8] {
        guard !finished else { return [] }
        finished = true
        _ = try checked(target, "audio") { cff_encoder_finish(encoder, &$0) }
        return take()
    }

    private func take() -> [UInt8] {
        var count = 0
        let bytes = cff_encoder_take(encoder, &count)
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }
}
