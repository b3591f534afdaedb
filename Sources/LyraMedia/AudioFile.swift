// Sound files on disk.

/// Writes a sound file while its samples come. The file appears under its name, complete, when `finish` is called;
/// if that never happens, nothing is left behind.
public final class AudioFileWriter {
    private let file: AtomicFile
    private let encoder: AudioEncoder

    /// - Parameters:
    ///   - path: where to; an existing file is replaced.
    ///   - format: by default what the path's extension says.
    ///   - flushes: whether the sound is on disk before the file appears; false is faster for many small files.
    /// - Throws: `MediaError`.
    public init(
        path: String, sampleRate: Int, format: AudioFormat? = nil, bitRate: Int? = nil, flushes: Bool = true
    ) throws(MediaError) {
        guard let format = format ?? AudioFormat(path: path) else {
            throw .invalidArgument(
                "The name '\(path)' does not say which format to write; end it in .wav, .flac, .mp3, .opus or .pcm.")
        }
        file = try AtomicFile(path, flushes: flushes)
        encoder = try AudioEncoder(
            format: format, sampleRate: sampleRate, bitRate: bitRate, descriptor: file.descriptor, target: "'\(path)'")
    }

    public func append(_ samples: [Float]) throws(MediaError) {
        do { _ = try encoder.append(samples) } catch { throw file.writing(error) }
    }

    public func finish() throws(MediaError) {
        do { _ = try encoder.finish() } catch { throw file.writing(error) }
        try file.commit()
    }
}

/// Sound files in one go.
public enum AudioFile {
    /// Writes mono samples to a file, whose extension chooses the format.
    /// - Throws: `MediaError`.
    public static func write(
        _ samples: [Float], sampleRate: Int, to path: String, format: AudioFormat? = nil, bitRate: Int? = nil,
        flushes: Bool = true
    ) throws(MediaError) {
        let writer = try AudioFileWriter(path: path, sampleRate: sampleRate, format: format, bitRate: bitRate, flushes: flushes)
        try writer.append(samples)
        try writer.finish()
    }
}
