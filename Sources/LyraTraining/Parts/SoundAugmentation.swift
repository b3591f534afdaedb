// What happens to recordings on the way to the encoder while it is trained: speed, rooms, noise, bands, loudness.
import Foundation
import LyraModel

/// How recordings are varied. Shares are probabilities for one recording.
public struct SoundAugmentation: Sendable, Codable, Equatable {
    /// Largest change of speed (and with it of pitch), as a share: 0.12 is 0.88 to 1.12 times.
    public var speed = 0.12
    public var roomShare = 0.2
    public var noiseShare = 0.5
    /// Signal to noise, in dB.
    public var noiseRange: [Double] = [5, 35]
    public var bandShare = 0.25
    /// Loudness, in dB.
    public var gainRange: [Double] = [-25, 5]
    /// Bands of time and of frequency that are hidden in the log-mel spectrum of a window (SpecAugment, Park et al. 2019).
    public var timeMasks = 2
    /// Longest, in mel frames of 10 ms.
    public var timeMaskLength = 30
    public var frequencyMasks = 2
    /// Widest, as a share of all mel bands.
    public var frequencyMaskShare = 0.2

    public init() {}

    /// Changes nothing.
    public static var none: SoundAugmentation {
        var none = SoundAugmentation()
        (none.speed, none.roomShare, none.noiseShare, none.bandShare, none.gainRange) = (0, 0, 0, 0, [0, 0])
        (none.timeMasks, none.frequencyMasks) = (0, 0)
        return none
    }

    public init(from decoder: any Swift.Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.speed, &speed)
        try values.read(.roomShare, &roomShare)
        try values.read(.noiseShare, &noiseShare)
        try values.read(.noiseRange, &noiseRange)
        try values.read(.bandShare, &bandShare)
        try values.read(.gainRange, &gainRange)
        try values.read(.timeMasks, &timeMasks)
        try values.read(.timeMaskLength, &timeMaskLength)
        try values.read(.frequencyMasks, &frequencyMasks)
        try values.read(.frequencyMaskShare, &frequencyMaskShare)
    }

    func check() throws {
        try PartConfiguration.range("augmentation.speed", speed, 0...0.5)
        for (key, share) in [("room", roomShare), ("noise", noiseShare), ("band", bandShare), ("frequency_mask", frequencyMaskShare)] {
            try PartConfiguration.range("augmentation.\(key)_share", share, 0...1)
        }
        for (key, range) in [("noise_range", noiseRange), ("gain_range", gainRange)] {
            guard range.count == 2, range[0] <= range[1], range.allSatisfy({ abs($0) <= 200 }) else {
                throw ConfigurationError.invalid(key: "augmentation.\(key)", value: "\(range)", expected: "two numbers of dB, the lower first")
            }
        }
        try PartConfiguration.range("augmentation.time_masks", Double(timeMasks), 0...1_000)
        try PartConfiguration.range("augmentation.time_mask_length", Double(timeMaskLength), 0...100_000)
        try PartConfiguration.range("augmentation.frequency_masks", Double(frequencyMasks), 0...1_000)
    }

    // MARK: Sound

    /// One utterance at another speed.
    func varySpeed(_ samples: [Float], _ random: inout SplitMix64) -> [Float] {
        guard speed > 0, samples.count > 4 else { return samples }
        let rate = Float.random(in: Float(1 - speed)...Float(1 + speed), using: &random)
        let count = max(1, Int(Float(samples.count - 3) / rate))
        return [Float](unsafeUninitializedCapacity: count) { out, filled in
            samples.withUnsafeBufferPointer { x in
                for i in 0..<count {
                    // Cubic between four neighbours (Catmull and Rom).
                    let place = Float(i) * rate, k = Int(place), t = place - Float(k)
                    let (a, b, c, d) = (x[k], x[k + 1], x[k + 2], x[min(k + 3, x.count - 1)])
                    let cubic = (3 * (b - c) + d - a) * t + (2 * a - 5 * b + 4 * c - d)
                    out[i] = b + 0.5 * t * (c - a + t * cubic)
                }
            }
            filled = count
        }
    }

    /// A whole recording: room, noise, band limits, loudness.
    func vary(_ samples: inout [Float], _ random: inout SplitMix64) {
        func happens(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &random) < share }
        if happens(roomShare) { addRoom(&samples, &random) }
        if happens(noiseShare) { addNoise(&samples, &random) }
        if happens(bandShare) { limitBand(&samples, &random) }
        let gain = Float(pow(10, Double.random(in: gainRange[0]...gainRange[1], using: &random) / 20))
        if gain != 1 { for i in samples.indices { samples[i] = max(-1, min(1, samples[i] * gain)) } }
    }

    /// Echoes of a small room: four decaying loops of unequal length (after Schroeder 1962).
    private func addRoom(_ samples: inout [Float], _ random: inout SplitMix64) {
        let wet = Float.random(in: 0.1...0.5, using: &random), decay = Double.random(in: 0.1...0.5, using: &random)
        var echo = [Float](repeating: 0, count: samples.count)
        for base in [0.0297, 0.0371, 0.0411, 0.0437] {
            let delay = Int(base * Double.random(in: 0.5...1.2, using: &random) * Double(LogMel.sampleRate))
            // 60 dB over the time of decay.
            let feedback = Float(pow(10, -3 * Double(delay) / (decay * Double(LogMel.sampleRate))))
            var line = [Float](repeating: 0, count: delay), place = 0
            for i in samples.indices {
                let delayed = line[place]
                echo[i] += delayed
                line[place] = samples[i] + feedback * delayed
                place += 1
                if place == delay { place = 0 }
            }
        }
        for i in samples.indices { samples[i] += wet * 0.25 * echo[i] }
    }

    /// White noise through a filter of random darkness, at a random distance below the sound.
    private func addNoise(_ samples: inout [Float], _ random: inout SplitMix64) {
        let power = samples.reduce(Float(0)) { $0 + $1 * $1 }
        guard power > 0 else { return }
        let ratio = Float(pow(10, -Double.random(in: noiseRange[0]...noiseRange[1], using: &random) / 20))
        let darkness = Float.random(in: 0...0.97, using: &random)
        var noise = [Float](repeating: 0, count: samples.count), state: Float = 0, noisePower: Float = 0
        for i in noise.indices {
            // Two uniform numbers from one draw; their sum is bell-shaped enough.
            let word = random.next()
            let white = Float(UInt32(truncatingIfNeeded: word)) + Float(UInt32(truncatingIfNeeded: word >> 32)) - 4_294_967_296
            state = darkness * state + (1 - darkness) * white
            noise[i] = state
            noisePower += state * state
        }
        let scale = ratio * (power / max(noisePower, .leastNormalMagnitude)).squareRoot()
        for i in samples.indices { samples[i] += scale * noise[i] }
    }

    /// Only low frequencies, or the band of a telephone.
    private func limitBand(_ samples: inout [Float], _ random: inout SplitMix64) {
        let telephone = Bool.random(using: &random)
        let top = telephone ? 3_400 : Double.random(in: 2_000...7_000, using: &random)
        Self.filter(&samples, frequency: top, isHighPass: false)
        Self.filter(&samples, frequency: top, isHighPass: false)
        if telephone { Self.filter(&samples, frequency: 300, isHighPass: true) }
    }

    /// A second-order Butterworth filter.
    private static func filter(_ samples: inout [Float], frequency: Double, isHighPass: Bool) {
        let omega = 2 * Double.pi * frequency / Double(LogMel.sampleRate), alpha = sin(omega) / 2.0.squareRoot(), c = cos(omega)
        let edge = isHighPass ? (1 + c) / 2 : (1 - c) / 2, a0 = 1 + alpha
        let (b0, b1) = (Float(edge / a0), Float((isHighPass ? -2 : 2) * edge / a0))
        let (a1, a2) = (Float(-2 * c / a0), Float((1 - alpha) / a0))
        var (x1, x2, y1, y2): (Float, Float, Float, Float) = (0, 0, 0, 0)
        for i in samples.indices {
            let x = samples[i]
            let y = b0 * (x + x2) + b1 * x1 - a1 * y1 - a2 * y2
            (x2, x1, y2, y1) = (x1, x, y1, y)
            samples[i] = y
        }
    }

    // MARK: Spectrum

    /// Which parts of a window's log-mel spectrum stay: [bins * frames] of ones and zeros; nil for all.
    /// - Parameter used: mel frames that hold the recording.
    func spectrumMask(bins: Int, frames: Int, used: Int, _ random: inout SplitMix64) -> [Float]? {
        guard timeMasks + frequencyMasks > 0 else { return nil }
        var mask = [Float](repeating: 1, count: bins * frames)
        for _ in 0..<frequencyMasks {
            let width = Int.random(in: 0...max(0, Int(frequencyMaskShare * Double(bins))), using: &random)
            let first = Int.random(in: 0...(bins - width), using: &random)
            for i in (first * frames)..<((first + width) * frames) { mask[i] = 0 }
        }
        for _ in 0..<timeMasks {
            let width = min(used, Int.random(in: 0...max(0, timeMaskLength), using: &random))
            let first = Int.random(in: 0...(used - width), using: &random)
            for bin in 0..<bins { for i in first..<(first + width) { mask[bin * frames + i] = 0 } }
        }
        return mask
    }
}
