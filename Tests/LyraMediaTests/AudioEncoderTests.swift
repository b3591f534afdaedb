// Writing sound, and reading it back.
import Foundation
import LyraMedia
import Testing

struct AudioEncoderTests {
    @Test(arguments: [AudioFormat.wav, .flac])
    func losslessRoundTrip(format: AudioFormat) throws {
        let folder = try TemporaryFolder(), path = folder.path("a.\(format.fileExtension)")
        let samples = sine(440, rate: 22_050, seconds: 1.7)
        try AudioFile.write(samples, sampleRate: 22_050, to: path)
        let reader = try AudioReader(.file(path), sampleRate: 22_050)
        let duration = try #require(reader.estimatedDuration)
        #expect(abs(duration - 1.7) < 0.001)
        let back = try reader.read(maximumCount: 100_000)
        #expect(back.count == samples.count)
        #expect(differences(back[...], samples[...]).maximum <= 0.5 / 32768 + 1e-7)
    }

    @Test(arguments: [AudioFormat.mp3, .opus], [8_000, 16_000, 22_050, 44_100])
    func lossyRoundTrip(format: AudioFormat, rate: Int) throws {
        let folder = try TemporaryFolder(), path = folder.path("a.\(format.fileExtension)")
        let samples = sine(440, rate: rate, seconds: 2)
        try AudioFile.write(samples, sampleRate: rate, to: path)
        let back = try AudioReader.readAll(.file(path), sampleRate: rate)
        #expect(abs(back.count - samples.count) <= 2)
        let inner = 4000..<min(back.count, samples.count) - 4000
        // Opus at 32 kbit/s models speech, not sines; a shift by one sample at 16 kHz would give 0.17 of itself.
        #expect(differences(back[inner], samples[inner]).relative < (format == .opus ? 0.2 : 0.08))
        #expect(try readBytes(path).count < 2 * 12_000)
    }

    @Test(arguments: AudioFormat.allCases)
    func streamedChunks(format: AudioFormat) throws {
        let samples = sine(300, rate: 16_000, seconds: 2)
        let encoder = try AudioEncoder(format: format, sampleRate: 16_000)
        var out: [UInt8] = [], first: Int?, given = 0
        for start in stride(from: 0, to: samples.count, by: 700) {
            let header = out.count
            out += try encoder.append(Array(samples[start..<min(start + 700, samples.count)]))
            given += 700
            if first == nil, start > 0, out.count > header { first = given }
        }
        out += try encoder.finish()
        #expect(try encoder.finish().isEmpty)
        #expect(throws: MediaError.self) { try encoder.append([0]) }
        // A listener hears the beginning within 0.4 s.
        #expect(try #require(first) <= 6400)
        if format == .pcm {
            #expect(out == Array(wav(samples).dropFirst(44)))
        } else {
            let reader = try AudioReader(.bytes(out))
            let back = try reader.read(maximumCount: 100_000)
            #expect(abs(back.count - samples.count) < 2500)
            #expect(reader.warning == nil)
        }
    }

    @Test func wavHeaderIsPatched() throws {
        let folder = try TemporaryFolder(), path = folder.path("a.wav")
        let samples = sine(440, rate: 16_000, seconds: 0.5)
        let writer = try AudioFileWriter(path: path, sampleRate: 16_000)
        for start in stride(from: 0, to: samples.count, by: 1000) { try writer.append(Array(samples[start..<start + 1000])) }
        #expect(!folder.names.contains("a.wav"))
        try writer.finish()
        #expect(folder.names == ["a.wav"])
        #expect(try readBytes(path) == wav(samples))
    }

    @Test func abandonedFileLeavesNothing() throws {
        let folder = try TemporaryFolder()
        try AudioFile.write([0.5], sampleRate: 16_000, to: folder.path("a.wav"))
        let before = try readBytes(folder.path("a.wav"))
        do {
            let writer = try AudioFileWriter(path: folder.path("a.wav"), sampleRate: 16_000)
            try writer.append(sine(100, rate: 16_000, seconds: 1))
        }
        #expect(folder.names == ["a.wav"])
        #expect(try readBytes(folder.path("a.wav")) == before)
    }

    @Test func oddSamples() throws {
        let encoder = try AudioEncoder(format: .pcm, sampleRate: 16_000)
        let out = try encoder.append([.nan, 5, -.infinity, 0.25]) + encoder.finish()
        #expect(out == [0, 0, 0xFF, 0x7F, 0x00, 0x80, 0x00, 0x20])
    }

    @Test(arguments: AudioFormat.allCases)
    func nothingToWrite(format: AudioFormat) throws {
        let folder = try TemporaryFolder()
        try AudioFile.write([], sampleRate: 16_000, to: folder.path("a.\(format.fileExtension)"))
        #expect(folder.names.count == 1)
    }

    @Test func refusals() throws {
        let folder = try TemporaryFolder()
        #expect(throws: MediaError.self) { try AudioFile.write([0], sampleRate: 16_000, to: folder.path("a.txt")) }
        #expect(throws: MediaError.self) { try AudioFile.write([0], sampleRate: 16_000, to: folder.path("none/a.wav")) }
        #expect(throws: MediaError.self) { try AudioEncoder(format: .mp3, sampleRate: 0) }
        #expect(throws: MediaError.self) { try AudioEncoder(format: .opus, sampleRate: 16_000, bitRate: 1) }
        #expect(folder.names.isEmpty)
    }

    @Test func fullDisk() throws {
        guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
        #expect { try AudioFile.write(sine(100, rate: 16_000, seconds: 60), sampleRate: 16_000, to: "/dev/full", format: .wav) }
            throws: { error in if case MediaError.cannotWrite = error { true } else { false } }
    }

    @Test func names() {
        #expect(AudioFormat(path: "/a.b/C.WAV") == .wav)
        #expect(AudioFormat(path: "x.ogg") == .opus)
        #expect(AudioFormat(path: "/a.wav/x") == nil)
        #expect(AudioFormat.mp3.mimeType == "audio/mpeg")
    }
}
