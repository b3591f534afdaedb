// Beginnings and ends of speech: real recordings with noise added, and sounds that are no speech.
import Foundation
@testable import LyraMedia
import Testing

@Suite struct VoiceActivityDetectorTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) << 32 | (state &* 0x9E37_79B9) >> 32
        }
        mutating func normal() -> Float {
            let u = Float.random(in: 1e-7..<1, using: &self), v = Float.random(in: 0..<1, using: &self)
            return (-2 * log(u)).squareRoot() * cos(2 * .pi * v)
        }
    }

    enum Noise: String, CaseIterable { case white, brown, hum, clicks }

    /// Noise of the given level (root of the mean square).
    private static func noise(_ kind: Noise, count: Int, level: Float) -> [Float] {
        var random = Generator(state: 7), last: Float = 0
        let raw = (0..<count).map { i -> Float in
            switch kind {
            case .white: return random.normal()
            case .brown:
                last = 0.95 * last + random.normal()
                return last
            case .hum: return (1...8).reduce(0) { $0 + sin(Float($1) * Float(i % 16_000) * 2 * .pi * 50 / 16_000) / Float($1) } + 0.2 * random.normal()
            case .clicks: return 0.1 * random.normal() + (i % 7_000 < 200 ? 4 * random.normal() * exp(-Float(i % 7_000) / 50) : 0)
            }
        }
        let scale = level / root(raw[...])
        return raw.map { $0 * scale }
    }

    private static func root(_ samples: ArraySlice<Float>) -> Float {
        (samples.reduce(0) { $0 + $1 * $1 } / Float(max(1, samples.count))).squareRoot()
    }

    /// Speech in seconds: stretches louder than 25 dB below the recording's mean, with shorter silences inside than `join`.
    private static func stretches(_ clean: [Float], join: Double) -> [ClosedRange<Double>] {
        var found: [ClosedRange<Double>] = []
        for start in stride(from: 0, to: clean.count - 320, by: 160) where root(clean[start..<(start + 320)]) > 0.06 * 0.056 {
            let time = Double(start) / 16_000
            if let last = found.last, time - last.upperBound < join {
                found[found.count - 1] = last.lowerBound...(time + 0.02)
            } else {
                found.append(time...(time + 0.02))
            }
        }
        return found.filter { $0.upperBound - $0.lowerBound > 0.05 }
    }

    private static func detect(_ sound: [Float]) -> [ClosedRange<Double>] {
        var options = VoiceActivityDetector.Options()
        options.prefixPadding = 0
        var detector = VoiceActivityDetector(options: options), start: Double?, found: [ClosedRange<Double>] = []
        for place in stride(from: 0, to: sound.count, by: 400) {
            for event in detector.append(Array(sound[place..<min(place + 400, sound.count)])) {
                switch event {
                case .started(let time): start = time
                case .stopped(let time): if let begin = start { found.append(begin...max(begin, time)) }
                case .pausing, .resumed: break
                }
            }
        }
        return found
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing), arguments: Noise.allCases)
    func findsSpeechInNoise(noise: Noise) throws {
        // Sentences of two speakers with pauses of a second between them, all equally loud.
        let files = (2...7).map { "speech/ljspeech/LJ001-000\($0).flac" } + ["speech/librispeech/1272-128104-0000.flac"]
        var clean = [Float](repeating: 0, count: 24_000)
        for file in files {
            let samples = try AudioReader.readAll(.file(Shared.path("data/\(file)"))), scale = 0.06 / Self.root(samples[...])
            clean += samples.map { $0 * scale } + [Float](repeating: 0, count: 16_000)
        }
        // Each end that was found has to be one, if only of a short pause; each that is certain has to be found.
        let fine = Self.stretches(clean, join: 0.2), certain = Self.stretches(clean, join: 0.8)
        for decibels in [30, 20, 10, 5] as [Float] {
            let added = Self.noise(noise, count: clean.count, level: 0.06 * pow(10, -decibels / 20))
            let found = Self.detect(zip(clean, added).map(+))
            func share(_ a: [Double], in b: [Double]) -> Double {
                Double(a.count { time in b.contains { abs($0 - time) <= 0.25 } }) / Double(max(1, a.count))
            }
            let onset = (recall: share(certain.map(\.lowerBound), in: found.map(\.lowerBound)), precision: share(found.map(\.lowerBound), in: fine.map(\.lowerBound)))
            let offset = (recall: share(certain.map(\.upperBound), in: found.map(\.upperBound)), precision: share(found.map(\.upperBound), in: fine.map(\.upperBound)))
            print(
                "\(noise) \(Int(decibels)) dB: onsets recall \(onset.recall) precision \(onset.precision),",
                "offsets recall \(offset.recall) precision \(offset.precision), \(certain.count) certain, \(found.count) found")
            // Nobody begins unheard.
            let heard = certain.count { speech in found.contains { $0.contains(speech.lowerBound + 0.25) } }
            #expect(heard == certain.count)
            // Where it is nearly silent, a breath before a sentence may count as its beginning.
            #expect(onset.recall >= (decibels == 30 ? 0.85 : 0.99) && onset.precision >= 0.85)
            #expect(offset.recall >= 0.85 && offset.precision >= 0.8)
        }
    }

    @Test(arguments: Noise.allCases) func noiseAloneIsNoSpeech(noise: Noise) {
        for level in [0.001, 0.03] as [Float] { #expect(Self.detect(Self.noise(noise, count: 16_000 * 20, level: level)).isEmpty, "\(level)") }
    }

    @Test func silenceAndOddSamplesAreNoSpeech() {
        #expect(Self.detect([Float](repeating: 0, count: 80_000)).isEmpty)
        #expect(Self.detect((0..<80_000).map { $0 % 3 == 0 ? .nan : 1e-5 }).isEmpty)
    }

    @Test(.enabled(if: Shared.hasData, Shared.missing)) func piecesOfAnyLengthGiveTheSame() throws {
        let samples = try AudioReader.readAll(.file(Shared.path("data/speech/jfk/jfk.wav")))
        func events(_ size: Int) -> [VoiceActivityDetector.Event] {
            var detector = VoiceActivityDetector()
            return stride(from: 0, to: samples.count, by: size).flatMap { detector.append(Array(samples[$0..<min($0 + size, samples.count)])) }
        }
        let whole = events(samples.count)
        #expect(!whole.isEmpty)
        for size in [1_000, 160, 37] { #expect(events(size) == whole) }
    }
}
