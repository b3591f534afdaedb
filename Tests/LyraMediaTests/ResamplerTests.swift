// Resampling of sound in memory: tones stay tones, whatever the pieces.
import Foundation
@testable import LyraMedia
import Testing

@Suite struct ResamplerTests {
    private func tone(_ hertz: Double, rate: Int, count: Int) -> [Float] {
        (0..<count).map { Float(sin(2 * .pi * hertz * Double($0) / Double(rate))) }
    }

    @Test(arguments: [(24_000, 16_000), (16_000, 24_000), (48_000, 16_000), (44_100, 16_000), (16_000, 16_000)])
    func keepsTones(from: Int, to: Int) {
        for hertz in [50.0, 440, 3_000, 6_500] {
            let input = tone(hertz, rate: from, count: from)
            var whole = Resampler(from: from, to: to), pieces = Resampler(from: from, to: to)
            let once = whole.append(input) + whole.finish()
            #expect(once.count == to)
            var parts: [Float] = []
            for start in stride(from: 0, to: input.count, by: 333) { parts += pieces.append(Array(input[start..<min(start + 333, input.count)])) }
            #expect(parts + pieces.finish() == once)
            let expected = tone(hertz, rate: to, count: to)
            let worst = zip(once, expected).dropFirst(200).dropLast(200).map { abs($0 - $1) }.max() ?? 1
            #expect(worst < 2e-3, "\(hertz) Hz: \(worst)")
        }
    }

    @Test func dropsWhatTheLowerRateCannotHold() {
        var resampler = Resampler(from: 24_000, to: 16_000)
        let out = resampler.append(tone(10_000, rate: 24_000, count: 24_000))
        #expect(out.dropFirst(200).map(abs).max() ?? 1 < 1e-3)
    }

    @Test func nothingGivesNothing() {
        var resampler = Resampler(from: 24_000, to: 16_000)
        #expect(resampler.append([]).isEmpty)
        #expect(resampler.finish().isEmpty)
    }
}
