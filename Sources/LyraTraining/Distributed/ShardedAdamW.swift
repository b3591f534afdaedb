// AdamW whose state is spread over processes (the first stage of ZeRO, Rajbhandari et al. 2020): every process keeps the
// moments of its share of all parameters, updates that share, and gets the rest from the others.
import MLX

/// An optimiser with a state of 8 / processes bytes a parameter.
///
/// Parameters are laid end to end in buckets, in the order of their names, and every bucket is cut into equal shares, so
/// that shares are equal whatever sizes parameters have. All processes give the same parameters and gradients.
struct ShardedAdamW: Optimizer {
    let group: DistributedGroup
    let betas: (Double, Double)
    let epsilon: Double
    private let buckets: [Bucket]
    private var first: [String: MLXArray] = [:]
    private var second: [String: MLXArray] = [:]
    private(set) var updates = 0

    /// Parameters laid end to end, and this process's share of them.
    struct Bucket {
        /// Names, and where each begins.
        var parameters: [(name: String, offset: Int, shape: [Int])] = []
        var count = 0
        /// Elements of every share; the last ones may be padding.
        var share = 0
        /// This process's part of each parameter that it has any of, in elements of the parameter.
        var pieces: [(name: String, range: Range<Int>)] = []
    }

    init(
        _ group: DistributedGroup, parameters: [String: MLXArray], beta1: Double = 0.9, beta2: Double = 0.999,
        epsilon: Double = 1e-8, bucketBytes: Int = 32 << 20
    ) {
        (self.group, self.epsilon) = (group, epsilon)
        betas = (beta1, beta2)
        buckets = Self.buckets(
            parameters.mapValues(\.shape).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, rank: group.rank,
            size: group.size, bucketBytes: bucketBytes)
        for (name, range) in buckets.flatMap(\.pieces) {
            (first[name], second[name]) = (MLXArray.zeros([range.count]), MLXArray.zeros([range.count]))
        }
    }

    static func buckets(_ parameters: [(name: String, shape: [Int])], rank: Int, size: Int, bucketBytes: Int) -> [Bucket] {
        let sizes = parameters.map { (bytes: $0.shape.reduce(4, *), type: DType.float32) }
        return GradientReduction.buckets(sizes, limit: bucketBytes).map { range in
            var bucket = Bucket()
            for (name, shape) in parameters[range] {
                bucket.parameters.append((name, bucket.count, shape))
                bucket.count += shape.reduce(1, *)
            }
            bucket.share = (bucket.count + size - 1) / size
            let own = (rank * bucket.share)..<((rank + 1) * bucket.share)
            for (name, offset, shape) in bucket.parameters {
                let part = (offset..<(offset + shape.reduce(1, *))).clamped(to: own)
                if !part.isEmpty { bucket.pieces.append((name, (part.lowerBound - offset)..<(part.upperBound - offset))) }
            }
            return bucket
        }
    }

    mutating func update(
        _ parameters: inout [String: MLXArray], _ gradients: consuming [String: MLXArray], scale: Double,
        rates: (String) -> (learningRate: Double, weightDecay: Double)
    ) throws {
        updates += 1
        for bucket in buckets {
            var parts: [MLXArray] = [], moments: [MLXArray] = []
            for (name, range) in bucket.pieces {
                // Taken out, so that the kernel can write where they lie.
                guard let parameter = parameters[name], let gradient = gradients[name],
                    let m = first.removeValue(forKey: name), let v = second.removeValue(forKey: name)
                else { throw TrainingError.missingPart("no gradient of \(name)") }
                let (rate, decay) = rates(name)
                let result = Kernel.adamW(
                    parameter.flattened()[range], gradient: gradient.flattened()[range], firstMoment: m, secondMoment: v,
                    settings: .init(beta1: betas.0, beta2: betas.1, epsilon: epsilon, weightDecay: decay),
                    learningRate: rate, step: updates, gradientScale: scale)
                (first[name], second[name]) = (result.firstMoment, result.secondMoment)
                parts.append(result.parameter)
                moments += [result.firstMoment, result.secondMoment]
            }
            let whole = try gathered(parts, bucket, alongside: moments)
            for (name, array) in whole {
                parameters[name] = array
                gradients[name] = nil
            }
        }
    }

    /// A bucket's parameters from all processes' shares.
    private func gathered(_ parts: [MLXArray], _ bucket: Bucket, alongside others: [MLXArray] = []) throws -> [(String, MLXArray)] {
        let padding = bucket.share - parts.reduce(0) { $0 + $1.size }
        let share = concatenated(parts + (padding > 0 ? [MLXArray.zeros([padding])] : []))
        // What is sent is computed first: the order of messages must not depend on how it comes about.
        try checkedEval([share] + others)
        let all = group.allGather(share)
        try checkedEval(all)
        return bucket.parameters.map { name, offset, shape in
            (name, all[offset..<(offset + shape.reduce(1, *))].reshaped(shape))
        }
    }

    /// All processes have to ask.
    func state() throws -> OptimizerState {
        var state = OptimizerState(updates: updates)
        for bucket in buckets {
            for (moments, path) in [(first, \OptimizerState.first), (second, \OptimizerState.second)] {
                for (name, array) in try gathered(bucket.pieces.compactMap { moments[$0.name] }, bucket) {
                    state[keyPath: path][name] = array
                }
            }
        }
        return state
    }

    mutating func restore(_ state: OptimizerState) {
        updates = state.updates
        for (name, range) in buckets.flatMap(\.pieces) {
            first[name] = state.first[name]?.flattened()[range] ?? MLXArray.zeros([range.count])
            second[name] = state.second[name]?.flattened()[range] ?? MLXArray.zeros([range.count])
        }
        // Copies, so that the whole state can go.
        for name in first.keys { (first[name], second[name]) = (first[name].map { $0 + 0 }, second[name].map { $0 + 0 }) }
        eval(Array(first.values) + Array(second.values))
    }
}
