// Reading sound: real files, sample formats, resampling, channels, streams.
import Foundation
import LyraMedia
import Testing

struct AudioReaderTests {
    /// Seconds as ffprobe states them for the stream, codec, rate, channels.
    static let files: [(path: String, seconds: Double, codec: String, rate: Int, channels: Int)] = [
        ("speech/jfk/jfk.wav", 11.0, "pcm_s16le", 16000, 1),
        ("speech/jfk/jfk.flac", 11.0, "flac", 44100, 2),
        ("speech/librispeech/1089_134686_000007_000004.wav", 9.0, "pcm_s16le", 24000, 1),
        ("speech/librispeech/1272-128104-0000.flac", 5.855, "flac", 16000, 1),
        ("speech/ljspeech/LJ001-0001.flac", 9.655, "flac", 22050, 1),
        ("speech/ljspeech-varied/LJ027-0127.wav", 9.632, "pcm_s16le", 22050, 1),
        ("speech/harvard/harvard-sentences-list30.mp3", 53.784, "mp3", 8000, 1),
        ("speech/lyra-examples/Hi.mp3", 3.624, "mp3", 24000, 1),
        ("speech/lyra-examples/movement.mp3", 4.336, "mp3", 44100, 1),
        ("speech/lyra-examples/pred_round0.wav", 16.0, "pcm_s16le", 16000, 1),
        ("video/movement.mp4", 4.294, "aac", 44100, 1),
        ("video/movement.mov", 4.290, "aac", 44100, 1),
        ("video/Trump.mp4", 9.741, "opus", 48000, 2),
    ]

    @Test(.enabled(if: Shared.hasData, Shared.missing), arguments: files)
    func realFile(file: (path: String, seconds: Double, codec: String, rate: Int, channels: Int)) throws {
        let reader = try AudioReader(.file(Shared.path("data/" + file.path)))
        #expect(reader.codecName == file.codec)
        #expect(reader.sourceSampleRate == file.rate)
        #expect(reader.sourceChannels == file.channels)
        let estimate = try #require(reader.estimatedDuration)
        #expect(abs(estimate - file.seconds) < 0.05)
        var count = 0, peak: Float = 0
        while case let chunk = try reader.read(maximumCount: 10_000), !chunk.isEmpty {
            count += chunk.count
            peak = max(peak, chunk.map(abs).max() ?? 0)
        }
        // MP3's duration may include the encoder's padding, which is not delivered.
        #expect(abs(Double(count) / 16_000 - file.seconds) < 0.15)
        #expect(peak > 0.05 && peak <= 1.5)
        #expect(reader.warning == nil)
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing))
    func everyRecordingOpens() throws {
        var count = 0
        for folder in ["ljspeech", "ljspeech-varied", "lyra-examples", "harvard", "jfk", "librispeech"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: Shared.path("data/speech/\(folder)"))
            where ["wav", "flac", "mp3"].contains(where: name.hasSuffix) {
                let samples = try AudioReader.readAll(.file(Shared.path("data/speech/\(folder)/\(name)")))
                #expect(samples.count > 16_000, "\(name)")
                count += 1
            }
        }
        #expect(count > 30)
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing))
    func sameRecordingInTwoFormats() throws {
        let flac = try AudioReader.readAll(.file(Shared.path("data/speech/jfk/jfk.flac")))
        let wav = try AudioReader.readAll(.file(Shared.path("data/speech/jfk/jfk.wav")))
        #expect(flac.count == wav.count)
        // Resampled by different programs; the phase is the same.
        #expect(differences(flac[...], wav[...]).relative < 0.1)
    }

    @Test func sixteenBitSamplesAreExact() throws {
        let values: [Int] = [0, 1, -1, 32767, -32768, 12345, -23456]
        let samples = try AudioReader.readAll(.bytes(wav(values.map { Float($0) / 32768 })))
        #expect(samples == values.map { Float($0) / 32768 })
    }

    @Test(arguments: [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])
    func resampledSine(rate: Int) throws {
        let samples = try AudioReader.readAll(.bytes(wav(sine(1000, rate: rate, seconds: 1.3), rate: rate)))
        #expect(samples.count == Int((1.3 * 16_000).rounded(.up)))
        let ideal = sine(1000, rate: 16_000, seconds: 1.3)
        // The ends border on silence; inside, the filter's pass band is flat to 0.1 % and the phase exact.
        #expect(differences(samples[200..<20_000], ideal[200..<20_000]).relative < 2e-3)
    }

    @Test func nothingAboveTheNewBand() throws {
        let samples = try AudioReader.readAll(.bytes(wav(sine(12_000, rate: 48_000, seconds: 1), rate: 48_000)))
        let rest = samples[200..<15_800].map { $0 * $0 }.reduce(0, +) / 15_600
        #expect(rest.squareRoot() < 0.5 / 2.0.squareRoot().f * 2e-3)  // 54 dB down
    }

    @Test func channels() throws {
        let left = sine(400, rate: 16_000, seconds: 0.5), right = sine(900, rate: 16_000, seconds: 0.5)
        let file = wav(zip(left, right).flatMap { [$0, $1] }, channels: 2)
        let mixed = try AudioReader.readAll(.bytes(file), channels: .mix)
        let first = try AudioReader.readAll(.bytes(file), channels: .first)
        #expect(differences(mixed[...], zip(left, right).map { ($0 + $1) / 2 }[...]).maximum < 1e-4)
        #expect(differences(first[...], left[...]).maximum < 1e-4)
        let eleven = (0..<1000).flatMap { _ in (0..<11).map { $0 == 0 ? Float(0.5) : 0.06 } }
        #expect(try AudioReader.readAll(.bytes(wav(eleven, channels: 11)), channels: .first).allSatisfy { abs($0 - 0.5) < 1e-4 })
        #expect(try AudioReader.readAll(.bytes(wav(eleven, channels: 11)), channels: .mix).allSatisfy { abs($0 - 0.1) < 1e-3 })
    }

    @Test func piecesAreTheWhole() throws {
        let file = wav(sine(333, rate: 44_100, seconds: 2), rate: 44_100)
        let whole = try AudioReader.readAll(.bytes(file))
        let reader = try AudioReader(.bytes(file))
        var pieces: [Float] = [], size = 1
        while case let piece = try reader.read(maximumCount: size), !piece.isEmpty {
            #expect(piece.count <= size)
            pieces += piece
            size = size * 3 % 4001 + 1
        }
        #expect(pieces == whole)
        #expect(try AudioReader(.bytes(file)).read(maximumCount: .max) == whole)
        #expect(try reader.read(maximumCount: 10).isEmpty)
    }

    @Test func hoursNeedLittleMemory() throws {
        // Six hours of silence: a file with a hole. As floats 1.4 GB; what other tests use at the same time counts too.
        let seconds = 6 * 3600
        let folder = try TemporaryFolder()
        let path = try folder.write("long.wav", wav([], claimedBytes: seconds * 32_000))
        #expect(truncate(path, seconds * 32_000 + 44) == 0)
        let reader = try AudioReader(.file(path))
        let before = residentBytes()
        var count = 0
        while case let chunk = try reader.read(maximumCount: 16_000), !chunk.isEmpty { count += chunk.count }
        #expect(count == seconds * 16_000)
        #expect(residentBytes() - before < 600 << 20)
    }

    private func residentBytes() -> Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
    }
}

extension Double {
    fileprivate var f: Float { Float(self) }
}
