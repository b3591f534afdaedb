// Random arrays. Every function takes a key, and the same key gives the same numbers: there is no hidden state.
import CMLX

/// Random arrays from keys.
public enum MLXRandom {
    /// A key, `[2]` of `uint32`.
    public static func key(_ seed: UInt64) -> MLXArray { MLXArray.make { cmlx_random_key(seed, $0) } }

    /// `into` independent keys made from one, which should not be used again.
    public static func split(key: MLXArray, into count: Int) -> [MLXArray] {
        let keys = MLXArray.make { cmlx_random_split(key.handle, int32(count), $0) }
        return (0..<count).map { keys[$0] }
    }

    /// Two independent keys made from one, which should not be used again.
    public static func split(key: MLXArray) -> (MLXArray, MLXArray) {
        let keys = split(key: key, into: 2)
        return (keys[0], keys[1])
    }

    private static func draw(
        _ kind: cmlx_distribution, _ shape: [Int], _ dtype: DType, _ a: MLXArray?, _ b: MLXArray?, _ key: MLXArray
    ) -> MLXArray {
        let dimensions = int32(shape)
        return withExtendedLifetime((a, b)) {
            MLXArray.make {
                cmlx_random(kind, dimensions, dimensions.count, dtype.c, a?.handle, b?.handle, key.handle, $0)
            }
        }
    }

    /// Uniform in `low ..< high`, which broadcast to `shape`.
    public static func uniform(
        low: some ScalarOrArray = 0, high: some ScalarOrArray = 1, _ shape: [Int] = [], dtype: DType = .float32,
        key: MLXArray
    ) -> MLXArray {
        draw(CMLX_UNIFORM, shape, dtype, low.asMLXArray(dtype: dtype), high.asMLXArray(dtype: dtype), key)
    }

    /// Normal with mean `loc` and standard deviation `scale`, which broadcast to `shape`.
    public static func normal(
        _ shape: [Int] = [], dtype: DType = .float32, loc: some ScalarOrArray = 0, scale: some ScalarOrArray = 1,
        key: MLXArray
    ) -> MLXArray {
        draw(CMLX_NORMAL, shape, dtype, loc.asMLXArray(dtype: dtype), scale.asMLXArray(dtype: dtype), key)
    }

    /// Standard normal, but between `low` and `high`, which broadcast to `shape`.
    public static func truncatedNormal(
        low: some ScalarOrArray, high: some ScalarOrArray, _ shape: [Int] = [], dtype: DType = .float32, key: MLXArray
    ) -> MLXArray {
        draw(CMLX_TRUNCATED_NORMAL, shape, dtype, low.asMLXArray(dtype: dtype), high.asMLXArray(dtype: dtype), key)
    }

    /// Integers in `low ..< high`, which broadcast to `shape`.
    public static func randInt(
        low: some ScalarOrArray, high: some ScalarOrArray, _ shape: [Int] = [], dtype: DType = .int32, key: MLXArray
    ) -> MLXArray {
        draw(CMLX_RANDINT, shape, dtype, low.asMLXArray(dtype: dtype), high.asMLXArray(dtype: dtype), key)
    }

    /// Standard Gumbel: adding it to logits and taking the largest samples from their softmax.
    public static func gumbel(_ shape: [Int] = [], dtype: DType = .float32, key: MLXArray) -> MLXArray {
        draw(CMLX_GUMBEL, shape, dtype, nil, nil, key)
    }

    /// `bool`, true with probability `p`, which broadcasts to `shape`; without one, of the shape of `p`.
    public static func bernoulli(_ p: some ScalarOrArray = 0.5, _ shape: [Int]? = nil, key: MLXArray) -> MLXArray {
        let probability = p.asMLXArray(dtype: .float32)
        return draw(CMLX_BERNOULLI, shape ?? probability.shape, .bool, probability, nil, key)
    }

    /// Positions along `axis` with probabilities softmax(`logits`), `uint32`: the shape of `logits` without that axis,
    /// and with `count` a last axis of so many draws.
    public static func categorical(_ logits: MLXArray, axis: Int = -1, count: Int? = nil, key: MLXArray) -> MLXArray {
        require(count.map { $0 >= 0 } ?? true, "a negative count of draws")
        return MLXArray.make {
            cmlx_random_categorical(logits.handle, int32(axis), int32(count ?? -1), key.handle, $0)
        }
    }

    /// The parts of `array` along `axis` in random order.
    public static func permutation(_ array: MLXArray, axis: Int = 0, key: MLXArray) -> MLXArray {
        MLXArray.make { cmlx_random_permutation(array.handle, int32(axis), key.handle, $0) }
    }

    /// The numbers 0 ..< `count` in random order, `int32`.
    public static func permutation(_ count: Int, key: MLXArray) -> MLXArray {
        permutation(MLXArray.arange(count), key: key)
    }
}
