// Random arrays: the same from the same key, and distributed as they say.
import Foundation
import MLX
import Testing

@Suite struct RandomTests {
    let key = MLXRandom.key(7)

    /// Mean and standard deviation.
    private func moments(_ a: MLXArray) -> (Float, Float) {
        let b = a.asType(.float32)
        return (b.mean().item(Float.self), std(b).item(Float.self))
    }

    @Test func theSameKeyGivesTheSame() {
        let a = MLXRandom.normal([100], key: key)
        #expect(arrayEqual(a, MLXRandom.normal([100], key: MLXRandom.key(7))).item(Bool.self))
        #expect(!arrayEqual(a, MLXRandom.normal([100], key: MLXRandom.key(8))).item(Bool.self))
        let (first, second) = MLXRandom.split(key: key)
        #expect(!arrayEqual(first, second).item(Bool.self))
        #expect(!arrayEqual(first, key).item(Bool.self))
        let keys = MLXRandom.split(key: key, into: 5).map { $0.asArray(UInt32.self) }
        #expect(Set(keys).count == 5)
    }

    /// The generator is Threefry-2x32 (Salmon et al. 2011), so that the same seed means the same on every machine.
    @Test func numbersAreThoseOfThreefry() {
        let seed: UInt64 = 0x1234_5678_9ABC_DEF0
        let (a, b) = threefry(key: (UInt32(seed >> 32), UInt32(truncatingIfNeeded: seed)), count: (0, 1))
        let expected = [a, b].map { Float(Double($0) / Double(UInt32.max)) }
        #expect(close(MLXRandom.uniform([2], key: MLXRandom.key(seed)).asArray(Float.self), expected, 1e-6))
    }

    private func threefry(key: (UInt32, UInt32), count: (UInt32, UInt32)) -> (UInt32, UInt32) {
        let rotations: [[UInt32]] = [[13, 15, 26, 6], [17, 29, 16, 24]]
        let keys = [key.0, key.1, key.0 ^ key.1 ^ 0x1BD1_1BDA]
        var (x, y) = (count.0 &+ keys[0], count.1 &+ keys[1])
        for round in 0..<5 {
            for rotation in rotations[round % 2] {
                x = x &+ y
                y = (y << rotation | y >> (32 - rotation)) ^ x
            }
            x = x &+ keys[(round + 1) % 3]
            y = y &+ keys[(round + 2) % 3] &+ UInt32(round + 1)
        }
        return (x, y)
    }

    @Test func distributionsHaveTheirMoments() {
        let n = [20000]
        let (uniform, spread) = moments(MLXRandom.uniform(low: -1, high: 3, n, key: key))
        #expect(abs(uniform - 1) < 0.05 && abs(spread - 4 / sqrt(Float(12))) < 0.05)
        let (mean, deviation) = moments(MLXRandom.normal(n, loc: 2, scale: 0.5, key: key))
        #expect(abs(mean - 2) < 0.02 && abs(deviation - 0.5) < 0.02)
        let (euler, _) = moments(MLXRandom.gumbel(n, key: key))
        #expect(abs(euler - 0.5772) < 0.05)
        let (share, _) = moments(MLXRandom.bernoulli(0.3, n, key: key))
        #expect(abs(share - 0.3) < 0.02)
        let cut = MLXRandom.truncatedNormal(low: -1, high: 0.5, n, key: key)
        #expect(cut.min().item(Float.self) >= -1 && cut.max().item(Float.self) <= 0.5)
        #expect(MLXRandom.normal([3], dtype: .bfloat16, key: key).dtype == .bfloat16)
        #expect(MLXRandom.bernoulli(MLXArray([0.0, 1.0]), key: key).asArray(Bool.self) == [false, true])
    }

    @Test func integersCoverTheirRange() {
        let a = MLXRandom.randInt(low: -2, high: 3, [1000], key: key)
        #expect(a.dtype == .int32)
        #expect(Set(a.asArray(Int.self)) == [-2, -1, 0, 1, 2])
    }

    @Test func categoriesFollowTheirLogits() {
        let logits = log(MLXArray([0.1, 0.6, 0.3, 0, 0, 1] as [Float], [2, 3]))
        let draws = MLXRandom.categorical(logits, count: 10000, key: key)
        #expect(draws.shape == [2, 10000])
        #expect(draws[1].asArray(Int.self).allSatisfy { $0 == 2 })
        let share = Float(draws[0].asArray(Int.self).count { $0 == 1 }) / 10000
        #expect(abs(share - 0.6) < 0.02)
        #expect(MLXRandom.categorical(logits, key: key).shape == [2])
        #expect(MLXRandom.categorical(logits, axis: 0, key: key).shape == [3])
    }

    @Test func permutationsKeepWhatTheyMove() {
        let order = MLXRandom.permutation(50, key: key).asArray(Int.self)
        #expect(order != Array(0..<50))
        #expect(order.sorted() == Array(0..<50))
        let rows = MLXRandom.permutation(counting(5, 2), key: key)
        #expect((rows[0..., 1] - rows[0..., 0]).asArray(Int.self) == [1, 1, 1, 1, 1])
    }
}
