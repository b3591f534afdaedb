// Fused kernels of training: losses with gradients, the optimiser's step, attention within packed sequences.
import CMLX

extension Kernel {
    /// Cross-entropy of each row: log sum exp(row) - row[target].
    ///
    /// The gradient is softmax - onehot, written in one pass; nothing of the size of the logits is kept beside them.
    ///
    /// - Parameters:
    ///   - logits: `[n, classes]`
    ///   - targets: `[n]` int32. A negative one gives 0 and no gradient; one beyond the classes gives NaN.
    /// - Returns: `[n]` in `float32`.
    public static func crossEntropy(logits: MLXArray, targets: MLXArray) -> MLXArray {
        .make { cmlx_kernel_cross_entropy(logits.handle, targets.handle, $0) }
    }

    /// Soft dynamic time warping (Cuturi and Blondel 2017): D of the last cell, where D = cost + softmin of the three cells
    /// before, and softmin(x) = -gamma log sum exp(-x / gamma).
    ///
    /// Takes O(L S) memory. Cells of infinite cost are never entered; where all paths are barred the value is infinity and
    /// the gradient 0.
    ///
    /// - Parameters:
    ///   - cost: `[L, S]`, neither axis empty: without rows or columns there is no path, and the caller has to say what
    ///     that means.
    ///   - gamma: above 0.
    /// - Returns: a scalar in `float32`.
    public static func softDTW(_ cost: MLXArray, gamma: Float) -> MLXArray {
        let (rows, columns) = cost.shape2
        return softDTW(cost.expandedDimensions(axis: 0), lengths: [(rows, columns)], gamma: gamma).reshaped([])
    }

    /// ``softDTW(_:gamma:)`` of each sample of a padded batch.
    ///
    /// - Parameters:
    ///   - cost: `[B, L, S]`
    ///   - lengths: how many rows and columns of each sample are meant, at least 1. The others get no gradient.
    /// - Returns: `[B]` in `float32`.
    public static func softDTW(_ cost: MLXArray, lengths: [(rows: Int, columns: Int)], gamma: Float) -> MLXArray {
        require(lengths.count == cost.dim(0), "softDTW: \(lengths.count) lengths for costs \(cost.shape)")
        let (rows, columns) = (int32(lengths.map(\.rows)), int32(lengths.map(\.columns)))
        return .make { cmlx_kernel_soft_dtw(cost.handle, rows, columns, gamma, $0) }
    }

    /// Connectionist temporal classification (Graves et al. 2006): minus the log probability that frames spell the targets
    /// once repeats are merged and blanks dropped.
    ///
    /// - Parameters:
    ///   - logits: `[T, classes]`, not normalised.
    ///   - targets: `[U]` int32, without blanks. One beyond the classes gives NaN.
    ///   - blank: the class that stands for nothing.
    ///   - zeroInfinity: impossible targets (too many for the frames) give 0 and no gradient, rather than infinity with a
    ///     gradient of NaN.
    /// - Returns: a scalar in `float32`.
    public static func ctcLoss(
        logits: MLXArray, targets: MLXArray, blank: Int, zeroInfinity: Bool = false
    ) -> MLXArray {
        ctcLoss(
            logits: logits.expandedDimensions(axis: 0), targets: targets.expandedDimensions(axis: 0),
            lengths: [(logits.dim(0), targets.dim(0))], blank: blank, zeroInfinity: zeroInfinity
        ).reshaped([])
    }

    /// ``ctcLoss(logits:targets:blank:zeroInfinity:)`` of each sample of a padded batch.
    ///
    /// - Parameters:
    ///   - logits: `[B, T, classes]`
    ///   - targets: `[B, U]` int32
    ///   - lengths: how many frames and targets of each sample are meant. The others get no gradient.
    /// - Returns: `[B]` in `float32`, neither divided by lengths nor averaged.
    public static func ctcLoss(
        logits: MLXArray, targets: MLXArray, lengths: [(frames: Int, targets: Int)], blank: Int,
        zeroInfinity: Bool = false
    ) -> MLXArray {
        let (batch, frames, classes) = logits.shape3
        require(lengths.count == batch, "ctcLoss: \(lengths.count) lengths for logits \(logits.shape)")
        return ctcLoss(
            logits.reshaped([batch * frames, classes]), targets, starts: (0..<batch).map { $0 * frames },
            lengths: lengths, blank, zeroInfinity)
    }

    /// ``ctcLoss(logits:targets:blank:zeroInfinity:)`` of each of several samples whose frames are laid end to end.
    ///
    /// - Parameters:
    ///   - logits: `[total, classes]`
    ///   - segments: where samples begin and end: 0, n1, n1 + n2, ... total.
    ///   - targets: those of each sample.
    /// - Returns: `[samples]` in `float32`, neither divided by lengths nor averaged.
    public static func ctcLoss(
        logits: MLXArray, segments: [Int], targets: [[Int32]], blank: Int, zeroInfinity: Bool = false
    ) -> MLXArray {
        require(
            segments.count == targets.count + 1,
            "ctcLoss: \(segments.count) ends of segments for \(targets.count) samples")
        let width = targets.map(\.count).max() ?? 0
        let padded = targets.flatMap { $0 + [Int32](repeating: 0, count: width - $0.count) }
        return ctcLoss(
            logits, MLXArray(padded, [targets.count, width]), starts: Array(segments.dropLast()),
            lengths: zip(zip(segments, segments.dropFirst()), targets).map { ($0.1 - $0.0, $1.count) }, blank,
            zeroInfinity)
    }

    private static func ctcLoss(
        _ logits: MLXArray, _ targets: MLXArray, starts: [Int], lengths: [(frames: Int, targets: Int)], _ blank: Int,
        _ zeroInfinity: Bool
    ) -> MLXArray {
        let (starts, frames, counts) = (int32(starts), int32(lengths.map(\.frames)), int32(lengths.map(\.targets)))
        return .make {
            cmlx_kernel_ctc_loss(
                logits.handle, targets.handle, starts, frames, counts, int32(blank), zeroInfinity, $0)
        }
    }

    /// Settings of AdamW that stay the same during a run.
    public struct AdamW: Sendable, Equatable {
        public var beta1 = 0.9
        public var beta2 = 0.999
        public var epsilon = 1e-8
        public var weightDecay = 0.0

        public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0) {
            (self.beta1, self.beta2, self.epsilon, self.weightDecay) = (beta1, beta2, epsilon, weightDecay)
        }
    }

    /// One step of AdamW (Loshchilov and Hutter 2019), decay decoupled from the gradient.
    ///
    /// The new arrays take the memory of the old ones where nobody else holds these when the step is computed: compute
    /// the gradient first, and let go of the old arrays (or overwrite them by the results) before evaluating.
    ///
    /// - Parameters:
    ///   - parameter: `float32`
    ///   - gradient: of the parameter's shape, any float type.
    ///   - firstMoment: `float32` of the same shape, zeros before the first step; so is `secondMoment`.
    ///   - step: the number of this step, from 1.
    ///   - gradientScale: what the gradient is multiplied with first (clipping, accumulation).
    public static func adamW(
        _ parameter: MLXArray, gradient: MLXArray, firstMoment: MLXArray, secondMoment: MLXArray,
        settings: AdamW = AdamW(), learningRate: Double, step: Int, gradientScale: Double = 1
    ) -> (parameter: MLXArray, firstMoment: MLXArray, secondMoment: MLXArray) {
        var numbers = cmlx_adamw(
            learning_rate: learningRate, beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon,
            weight_decay: settings.weightDecay, gradient_scale: gradientScale, step: Int64(step))
        var out: [cmlx_array?] = [nil, nil, nil]
        let status = cmlx_kernel_adamw(
            parameter.handle, gradient.handle, firstMoment.handle, secondMoment.handle, &numbers, &out)
        guard status == 0, let new = out[0], let first = out[1], let second = out[2] else {
            trap("MLX: \(MLXError.last)")
        }
        return (MLXArray(owning: new), MLXArray(owning: first), MLXArray(owning: second))
    }

    /// The sum of the squares of all elements of all arrays, a `float32` scalar: the squared norm that gradients are
    /// clipped by. The order of the additions does not depend on threads. Has no gradient.
    public static func sumOfSquares(_ arrays: [MLXArray]) -> MLXArray {
        let list: [cmlx_array?] = arrays.map(\.handle)
        defer { withExtendedLifetime(arrays) {} }
        return .make { cmlx_kernel_sum_of_squares(list, list.count, $0) }
    }

    /// ``sumOfSquares(_:)-([MLXArray])`` of one array.
    public static func sumOfSquares(_ array: MLXArray) -> MLXArray { sumOfSquares([array]) }

    /// ``attention(_:_:_:scale:causal:)`` within each of several sequences laid end to end.
    ///
    /// - Parameters:
    ///   - q: `[1, total, Hq, D]`
    ///   - k: `[1, total, Hkv, D]`, Hkv divides Hq.
    ///   - v: `[1, total, Hkv, D]`
    ///   - segments: where sequences begin and end: 0, n1, n1 + n2, ... total. Tokens see those of their own only.
    ///   - turns: tokens at which turns begin, rising; causal alone. A turn goes on to the next one or to the end of its
    ///     sequence, and sees what stands before the sequence's first turn, and itself: several continuations of one text
    ///     for the price of one text.
    /// - Returns: `[1, total, Hq, D]` in the type of q.
    public static func attention(
        _ q: MLXArray, _ k: MLXArray, _ v: MLXArray, scale: Float, causal: Bool, segments: [Int], turns: [Int] = []
    ) -> MLXArray {
        require(!segments.isEmpty, "attention: segments are the numbers from 0 to the count of tokens")
        return .make {
            cmlx_kernel_attention_packed(
                q.handle, k.handle, v.handle, scale, causal, int32(segments), segments.count - 1, int32(turns), turns.count,
                $0)
        }
    }
}
