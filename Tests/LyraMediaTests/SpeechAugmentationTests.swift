// Augmented speech: as strong as asked for, the same for the same seed, never out of range.
import Foundation
import LyraMedia
import Testing

struct SpeechAugmentationTests {
    private let tone = sine(440, rate: 16_000, seconds: 2).map { $0 * 0.2 }

    private func only(_ change: (inout SpeechAugmentation) -> Void) -> SpeechAugmentation {
        var result = SpeechAugmentation.none
        change(&result)
        return result
    }

    private func power(_ samples: some Collection<Float>) -> Double {
        samples.reduce(0) { $0 + Double($1 * $1) } / Double(samples.count)
    }

    @Test func nothingIsNothing() { #expect(SpeechAugmentation.none.apply(tone, seed: 1) == tone) }

    @Test func seedsDecide() {
        let augmentation = SpeechAugmentation()
        let versions = (0..<20).map { augmentation.apply(tone, seed: UInt64($0)) }
        for (seed, version) in versions.enumerated() {
            #expect(version == augmentation.apply(tone, seed: UInt64(seed)))
            #expect(version.allSatisfy { $0.isFinite && abs($0) <= 1 })
        }
        #expect(Set(versions.map { $0.prefix(4000).map(\.bitPattern) }).count >= 18)
        #expect(Set(versions.map(\.count)).count > 3)
    }

    @Test(arguments: [10.0, 20, 30]) func noiseHasItsLevel(decibels: Double) {
        for seed in 0..<8 as Range<UInt64> {
            let noisy = only { $0.noise = .init(1, decibels...decibels) }.apply(tone, seed: seed)
            let ratio = 10 * log10(power(tone) / power(zip(noisy, tone).map { $0 - $1 }))
            #expect(abs(ratio - decibels) < 0.1)
        }
    }

    @Test func impossibleEffectsAreNamed() {
        #expect(SpeechAugmentation().problem == nil && SpeechAugmentation.none.problem == nil)
        #expect(only { $0.pause = .init(1, -1...0.3) }.problem?.hasPrefix("pause:") == true)
        #expect(only { $0.pause = .init(1, 0...1e12) }.problem?.hasPrefix("pause:") == true)
        #expect(only { $0.speed = .init(1, 0...1) }.problem?.hasPrefix("speed:") == true)
        #expect(only { $0.tone = .init(1, 0...100) }.problem?.hasPrefix("tone:") == true)
        #expect(only { $0.codec = .init(1.5, 32...64) }.problem?.hasPrefix("codec:") == true)
    }

    @Test func pausesComeFirst() {
        let later = only { $0.pause = .init(1, 0.25...0.25) }.apply(tone, seed: 0)
        #expect(later == [Float](repeating: 0, count: 4_000) + tone)
    }

    @Test func speedMovesPitchAndLength() {
        let fast = only { $0.speed = .init(1, 1.25...1.25) }.apply(tone, seed: 0)
        #expect(fast.count == 25_600)
        // A period of 440 Hz becomes one of 550 Hz.
        let crossings = zip(fast, fast.dropFirst()).count { $0 < 0 && $1 >= 0 }
        #expect(abs(crossings - 880) <= 1)
    }

    @Test func bandsAreCut() {
        let high = sine(6_000, rate: 16_000, seconds: 1), low = sine(60, rate: 16_000, seconds: 1)
        let lowPass = only { $0.lowPass = .init(1, 3_000...3_000) }, highPass = only { $0.highPass = .init(1, 300...300) }
        #expect(power(lowPass.apply(high, seed: 0)) < 0.01 * power(high))
        #expect(power(highPass.apply(low, seed: 0)) < 0.001 * power(low))
        #expect(abs(power(lowPass.apply(low, seed: 0)) / power(low) - 1) < 0.02)
        #expect(abs(power(highPass.apply(high, seed: 0)) / power(high) - 1) < 0.02)
    }

    /// What is low and what is high become louder and softer against each other, by no more than both bands can be turned; the whole stays as loud.
    @Test func tonesAreTurned() {
        let low = sine(250, rate: 16_000, seconds: 1), high = sine(4_000, rate: 16_000, seconds: 1)
        let both = zip(low, high).map { 0.1 * ($0 + $1) }
        let level = { (sound: [Float], part: [Float]) in 20 * log10(abs(zip(sound, part).reduce(0) { $0 + Double($1.0 * $1.1) })) }
        let changes = (0..<40).map { seed in
            let turned = only { $0.tone = .init(1, 12...12) }.apply(both, seed: UInt64(seed))
            #expect(abs(power(turned) / power(both) - 1) < 0.01)
            return level(turned, low) - level(turned, high)
        }
        #expect(changes.contains { $0 > 6 } && changes.contains { $0 < -6 } && changes.allSatisfy { abs($0) < 48 })
    }

    /// After the sound has ended, the room goes on; its level falls by 60 dB in the time given.
    @Test func roomsGoOn() {
        var samples = [Float](repeating: 0, count: 32_000)
        var state: UInt32 = 1
        for i in 0..<8_000 {
            state = state &* 1_664_525 &+ 1_013_904_223
            samples[i] = Float(state >> 8) / Float(1 << 24) - 0.5
        }
        let wet = only { $0.room = .init(1, 0.5...0.5) }.apply(samples, seed: 3)
        let early = power(wet[8_800..<10_400]), late = power(wet[15_200..<16_800])
        #expect(early > 1e-8)
        // 6,400 samples are 0.4 s: 48 dB.
        #expect(abs(10 * log10(early / late) - 48) < 8)
        #expect(abs(power(wet) / power(samples) - 1) < 1e-3)
    }

    @Test func levelsAndSteps() {
        let soft = only { $0.gain = .init(1, -20 ... -20) }.apply(tone, seed: 0)
        #expect(abs(power(soft) / power(tone) - 0.01) < 1e-5)
        let coarse = only { $0.codec = .init(1, 32...32) }.apply(tone, seed: 0)
        #expect(Set(coarse.map(\.bitPattern)).count <= 65)
        #expect(power(zip(coarse, tone).map { $0 - $1 }) < 0.01 * power(tone))
        #expect(SpeechAugmentation().apply([], seed: 0).isEmpty)
    }
}
