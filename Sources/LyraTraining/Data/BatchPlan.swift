// Which samples go into which batch of which step. Numbers only: nothing is read, and any step of any epoch can be had
// directly.
import LyraModel

/// A place in training: the next step to be taken.
public struct BatchPosition: Sendable, Codable, Equatable, Comparable {
    public var epoch: Int
    public var step: Int
    public init(epoch: Int = 0, step: Int = 0) { (self.epoch, self.step) = (epoch, step) }
    public static func < (a: BatchPosition, b: BatchPosition) -> Bool { (a.epoch, a.step) < (b.epoch, b.step) }
}

/// The order of samples, by seed and epoch alone.
///
/// A step is one update of the weights: `worldSize` ranks take `accumulation` batches each. Ranks take equally many steps,
/// and together they see every sample once an epoch. With batches counted in samples, a step's samples depend on
/// `samples * worldSize * accumulation` only, not on how they are dealt out.
///
/// Nothing is dropped: an epoch's last step takes what is left, and then some batches may be smaller or even empty.
public struct BatchPlan: Sendable {
    public enum BatchSize: Sendable, Codable, Equatable {
        case samples(Int)
        /// As many samples as have this many tokens together; one that has more goes alone.
        case tokens(Int)
    }

    public struct Settings: Sendable, Equatable {
        public var size: BatchSize
        public var seed: UInt64 = 0
        /// Puts samples of similar length into one step. Otherwise they come as shuffled.
        public var groupsByLength = true
        public var rank = 0
        public var worldSize = 1
        /// Batches that a rank takes for one step.
        public var accumulation = 1

        public init(size: BatchSize) { self.size = size }
    }

    public let settings: Settings
    private let lengths: [Int32]
    /// Of each file: its first sample, how many it has, how often they come.
    private let parts: [(first: Int, count: Int, repeats: Double)]
    /// Samples an epoch takes, repeats included.
    public let samplesPerEpoch: Int

    public init(_ data: TrainingData, _ lengths: SampleLengths, _ settings: Settings) {
        self.init(lengths.values, parts: data.parts.map { ($0.first, $0.count, $0.source.repeats) }, settings)
    }

    /// - Parameter parts: covers `lengths`.
    init(_ lengths: [Int32], parts: [(first: Int, count: Int, repeats: Double)], _ settings: Settings) {
        var settings = settings
        (settings.worldSize, settings.accumulation) = (max(1, settings.worldSize), max(1, settings.accumulation))
        precondition((0..<settings.worldSize).contains(settings.rank), "rank \(settings.rank) of \(settings.worldSize)")
        (self.lengths, self.parts, self.settings) = (lengths, parts, settings)
        samplesPerEpoch = parts.reduce(0) { $0 + Self.takes($1.count, $1.repeats) }
    }

    /// At least one sample, however small the share.
    private static func takes(_ count: Int, _ repeats: Double) -> Int {
        max(min(count, 1), Int((Double(count) * repeats).rounded()))
    }

    private var slots: Int { settings.worldSize * settings.accumulation }

    /// Steps of an epoch.
    public func steps(inEpoch epoch: Int) -> Int {
        guard case .samples(let size) = settings.size else { return self.epoch(epoch).steps }
        let perStep = max(1, size) * slots
        return (samplesPerEpoch + perStep - 1) / perStep
    }

    /// Steps of the first `epochs` epochs.
    public func steps(epochs: Int) -> Int { (0..<epochs).reduce(0) { $0 + steps(inEpoch: $1) } }

    // MARK: Epochs

    /// The steps of one epoch, worked out.
    public struct Epoch: Sendable {
        public let number: Int
        /// Samples of every batch of all ranks, end to end.
        fileprivate let samples: [Int32]
        /// Where batches begin; one more than there are batches.
        fileprivate let starts: [Int]
        /// In the order they are taken.
        fileprivate let order: [Int32]
        fileprivate let settings: Settings

        public var steps: Int { order.count }

        /// Sample numbers of one batch; of this plan's rank by default.
        public func batch(step: Int, accumulation: Int = 0, rank: Int? = nil) -> [Int] {
            let slots = settings.worldSize * settings.accumulation
            let batch = Int(order[step]) * slots + accumulation * settings.worldSize + (rank ?? settings.rank)
            return samples[starts[batch]..<starts[batch + 1]].map(Int.init)
        }
    }

    public func epoch(_ number: Int) -> Epoch {
        var random = SplitMix64(state: settings.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(number) &* 0xD134_2543_DE82_EF95)
        var samples = self.samples(ofEpoch: number)
        Self.shuffle(&samples, &random)
        let batches =
            switch settings.size {
            case .samples(let size): self.batches(&samples, samples: max(1, size))
            case .tokens(let most): self.batches(&samples, tokens: max(1, most))
            }
        let steps = (batches.count + slots - 1) / slots
        var order = (0..<Int32(steps)).map { $0 }
        // The last step, which may be smaller, stays last.
        var whole = Array(order.dropLast())
        Self.shuffle(&whole, &random)
        order.replaceSubrange(..<whole.count, with: whole)
        var flat: [Int32] = [], starts = [0]
        flat.reserveCapacity(samples.count)
        for batch in batches {
            flat += batch
            starts.append(flat.count)
        }
        while starts.count <= steps * slots { starts.append(flat.count) }
        return Epoch(number: number, samples: flat, starts: starts, order: order, settings: settings)
    }

    /// What an epoch takes of each file: all of it as often as it comes whole, and of the rest another part each time.
    private func samples(ofEpoch number: Int) -> [Int32] {
        var samples: [Int32] = []
        samples.reserveCapacity(samplesPerEpoch)
        for part in parts where part.count > 0 {
            let all = (Int32(part.first)..<Int32(part.first + part.count)).map { $0 }
            let takes = Self.takes(part.count, part.repeats)
            for _ in 0..<(takes / part.count) { samples += all }
            let rest = takes % part.count
            guard rest > 0 else { continue }
            var random = SplitMix64(state: settings.seed ^ UInt64(part.first) &* 0xA24B_AED4_963E_E407)
            var shuffled = all
            Self.shuffle(&shuffled, &random)
            let start = number % part.count * rest % part.count
            for i in 0..<rest { samples.append(shuffled[(start + i) % part.count]) }
        }
        return samples
    }

    /// Fisher and Yates; not the library's, whose use of the generator may change.
    private static func shuffle(_ values: inout [Int32], _ random: inout SplitMix64) {
        guard values.count > 1 else { return }
        for i in stride(from: values.count - 1, to: 0, by: -1) {
            let j = Int(random.next().multipliedFullWidth(by: UInt64(i + 1)).high)
            if i != j { values.swapAt(i, j) }
        }
    }

    /// Sorts stretches of `count` samples by length, longest first. Stretches rather than all, so that the samples that meet
    /// are others in every epoch.
    private func sortStretches(_ samples: inout [Int32], of count: Int) {
        guard settings.groupsByLength else { return }
        for start in stride(from: 0, to: samples.count, by: count) {
            let range = start..<min(samples.count, start + count)
            let sorted = range.sorted { a, b in
                let (x, y) = (lengths[Int(samples[a])], lengths[Int(samples[b])])
                return x != y ? x > y : a < b
            }
            samples.replaceSubrange(range, with: sorted.map { samples[$0] })
        }
    }

    /// Samples in a stretch that is sorted, for steps of about `perStep`: up to 50 steps, and at least four stretches where
    /// there are enough samples.
    private func stretch(perStep: Int) -> Int {
        perStep * min(50, max(1, samplesPerEpoch / (4 * perStep)))
    }

    private func batches(_ samples: inout [Int32], samples size: Int) -> [[Int32]] {
        let perStep = size * slots
        sortStretches(&samples, of: stretch(perStep: perStep))
        var batches: [[Int32]] = []
        for start in stride(from: 0, to: samples.count, by: perStep) {
            // To and fro over the batches, so that all get about as many tokens.
            var dealt = [[Int32]](repeating: [], count: slots)
            for (i, sample) in samples[start..<min(samples.count, start + perStep)].enumerated() {
                let (round, place) = i.quotientAndRemainder(dividingBy: slots)
                dealt[round % 2 == 0 ? place : slots - 1 - place].append(sample)
            }
            batches += dealt
        }
        return batches
    }

    private func batches(_ samples: inout [Int32], tokens most: Int) -> [[Int32]] {
        let total = samples.reduce(0) { $0 + Int(lengths[Int($1)]) }
        let perStep = max(1, samples.count * most * slots / max(1, total))
        sortStretches(&samples, of: stretch(perStep: perStep))
        var batches: [[Int32]] = [], filled = 0
        for sample in samples {
            let length = Int(lengths[Int(sample)])
            if batches.isEmpty || filled + length > most {
                batches.append([])
                filled = 0
            }
            batches[batches.count - 1].append(sample)
            filled += length
        }
        // The last step: batches are cut in two until every rank has one, as far as there are samples.
        let whole = batches.count / slots * slots
        var last = Array(batches[whole...])
        while !last.isEmpty, last.count < slots,
            let largest = last.indices.max(by: { last[$0].count < last[$1].count }), last[largest].count > 1
        {
            let half = last[largest].count / 2
            last.append(Array(last[largest][half...]))
            last[largest].removeSubrange(half...)
        }
        return batches[..<whole] + last
    }
}
