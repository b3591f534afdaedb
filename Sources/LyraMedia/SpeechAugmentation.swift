// Recordings as they are heard elsewhere: faster, in a room, by telephone, among noise. Made from clean speech while training.
import Foundation

/// What may happen to a recording, how likely and how strongly. `apply` with another seed gives another version of it; the same
/// seed gives the same.
public struct SpeechAugmentation: Sendable, Equatable, Codable {
    /// One kind of change.
    public struct Effect: Sendable, Equatable, Codable {
        /// 0 ... 1
        public var probability: Double
        public var lowest: Double
        public var highest: Double

        public init(_ probability: Double, _ range: ClosedRange<Double>) {
            (self.probability, lowest, highest) = (probability, range.lowerBound, range.upperBound)
        }
    }

    /// Seconds of silence before it, and so where it lies in the encoder's frames.
    public var pause = Effect(0.9, 0...0.3)
    /// Speed, and pitch with it: 1.1 is faster and higher.
    public var speed = Effect(0.5, 0.9...1.1)
    /// How much louder or softer parts of the spectrum are than they were, at most, in dB: other voices and other microphones.
    public var tone = Effect(0.5, 2...12)
    /// Seconds until a room's echo is 60 dB down.
    public var room = Effect(0.3, 0.1...0.5)
    /// Highest frequency that remains, in Hz.
    public var lowPass = Effect(0.3, 2_500...7_000)
    /// Lowest frequency that remains, in Hz.
    public var highPass = Effect(0.3, 60...350)
    /// Level of the noise below that of the recording, in dB.
    public var noise = Effect(0.5, 5...35)
    /// Change of level, in dB.
    public var gain = Effect(0.8, -15...6)
    /// Steps to either side of zero that a coarse logarithmic codec has; a telephone's has 128.
    public var codec = Effect(0.1, 32...128)

    public init() {}

    /// Effects that are not given are the usual ones.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        pause = try values.decodeIfPresent(Effect.self, forKey: .pause) ?? pause
        speed = try values.decodeIfPresent(Effect.self, forKey: .speed) ?? speed
        tone = try values.decodeIfPresent(Effect.self, forKey: .tone) ?? tone
        room = try values.decodeIfPresent(Effect.self, forKey: .room) ?? room
        lowPass = try values.decodeIfPresent(Effect.self, forKey: .lowPass) ?? lowPass
        highPass = try values.decodeIfPresent(Effect.self, forKey: .highPass) ?? highPass
        noise = try values.decodeIfPresent(Effect.self, forKey: .noise) ?? noise
        gain = try values.decodeIfPresent(Effect.self, forKey: .gain) ?? gain
        codec = try values.decodeIfPresent(Effect.self, forKey: .codec) ?? codec
    }

    /// What is wrong with it, if anything: which effect has a value that sound cannot have.
    public var problem: String? {
        func problem(_ name: String, _ effect: Effect, _ range: ClosedRange<Double>) -> String? {
            let isRight = (0...1).contains(effect.probability) && range.contains(effect.lowest) && range.contains(effect.highest)
            return isRight ? nil : "\(name): expected a probability from 0 to 1, lowest and highest from \(range.lowerBound) to \(range.upperBound)"
        }
        return problem("pause", pause, 0...60) ?? problem("speed", speed, 0.2...5) ?? problem("tone", tone, 0...60)
            ?? problem("room", room, 0...10) ?? problem("low_pass", lowPass, 1...1e6) ?? problem("high_pass", highPass, 1...1e6) ?? problem("noise", noise, -100...200)
            ?? problem("gain", gain, -200...100) ?? problem("codec", codec, 1...1e6)
    }

    /// Changes nothing.
    public static let none: SpeechAugmentation = {
        var none = SpeechAugmentation()
        for effect in effects { none[keyPath: effect].probability = 0 }
        return none
    }()

    private static var effects: [WritableKeyPath<SpeechAugmentation, Effect>] {
        [\.pause, \.speed, \.tone, \.room, \.lowPass, \.highPass, \.noise, \.gain, \.codec]
    }

    /// A version of the recording. What would go beyond full scale is clipped.
    /// - Parameters:
    ///   - samples: mono, -1 ... 1.
    ///   - sampleRate: in Hz.
    public func apply(_ samples: [Float], seed: UInt64, sampleRate: Double = 16_000) -> [Float] {
        guard !samples.isEmpty else { return [] }
        // Each effect draws from numbers of its own, so that switching one off leaves the others as they were.
        func drawn(_ effect: Effect, _ name: String) -> (value: Double, random: SeededRandom)? {
            var random = SeededRandom(seed, "augmentation", name)
            guard random.chance(effect.probability) else { return nil }
            return (random.real(min(effect.lowest, effect.highest)...max(effect.lowest, effect.highest)), random)
        }
        var sound = samples
        if let (factor, _) = drawn(speed, "speed") { sound = Self.resampled(sound, by: factor) }
        if let (seconds, _) = drawn(pause, "pause") { sound.insert(contentsOf: repeatElement(0, count: Int(seconds * sampleRate)), at: 0) }
        if let (decibels, random) = drawn(tone, "tone") { Self.equalise(&sound, decibels, sampleRate, random) }
        if let (seconds, random) = drawn(room, "room") { sound = Self.reverberated(sound, seconds, sampleRate, random) }
        if let (frequency, _) = drawn(lowPass, "lowPass") { Biquad(lowPass: frequency, sampleRate).apply(to: &sound) }
        if let (frequency, _) = drawn(highPass, "highPass") { Biquad(highPass: frequency, sampleRate).apply(to: &sound) }
        if let (decibels, random) = drawn(noise, "noise") { Self.addNoise(&sound, decibels, sampleRate, random) }
        if let (decibels, _) = drawn(gain, "gain") {
            let factor = Float(pow(10, decibels / 20))
            for i in sound.indices { sound[i] *= factor }
        }
        if let (steps, _) = drawn(codec, "codec") { Self.quantise(&sound, Float(steps.rounded())) }
        for i in sound.indices { sound[i] = max(-1, min(1, sound[i])) }
        return sound
    }

    // MARK: Effects

    /// Cubic interpolation at steps of `factor`.
    private static func resampled(_ samples: [Float], by factor: Double) -> [Float] {
        guard factor > 0.1 else { return samples }
        let last = samples.count - 1
        return (0..<max(1, Int(Double(samples.count) / factor))).map { index in
            let position = Double(index) * factor, base = Int(position), t = Float(position - Double(base))
            func at(_ offset: Int) -> Float { samples[min(last, max(0, base + offset))] }
            let (a, b, c, d) = (at(-1), at(0), at(1), at(2))
            return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        }
    }

    /// An equaliser with a band an octave, each of which is turned by up to so many dB. The whole is as loud as before.
    private static func equalise(_ samples: inout [Float], _ decibels: Double, _ rate: Double, _ random: SeededRandom) {
        var random = random
        let before = power(samples)
        for frequency in [125.0, 250, 500, 1_000, 2_000, 4_000, 7_000] {
            Biquad(band: frequency, decibels: random.real(-decibels...decibels), rate).apply(to: &samples)
        }
        setPower(&samples, before)
    }

    /// Schroeder's reverberator: echoes that feed back on themselves, then all-pass filters that spread them.
    private static func reverberated(_ samples: [Float], _ seconds: Double, _ rate: Double, _ random: SeededRandom) -> [Float] {
        var random = random
        var wet = [Float](repeating: 0, count: samples.count)
        let size = random.real(0.5...1.2)
        for delay in [0.0297, 0.0371, 0.0411, 0.0437] {
            let length = max(1, Int(delay * size * rate * random.real(0.97...1.03)))
            let feedback = Float(pow(10, -3 * Double(length) / rate / max(seconds, 0.01)))
            var line = [Float](repeating: 0, count: length), at = 0
            for i in samples.indices {
                let echo = line[at]
                line[at] = samples[i] + feedback * echo
                wet[i] += echo * 0.25
                at = at + 1 == length ? 0 : at + 1
            }
        }
        for delay in [0.005, 0.0017] {
            let length = max(1, Int(delay * rate))
            var line = [Float](repeating: 0, count: length), at = 0
            for i in wet.indices {
                let held = line[at], input = wet[i] + 0.7 * held
                line[at] = input
                wet[i] = held - 0.7 * input
                at = at + 1 == length ? 0 : at + 1
            }
        }
        let share = Float(random.real(0.2...0.6)), before = power(samples)
        var result = zip(samples, wet).map { $0 + share * $1 }
        setPower(&result, before)
        return result
    }

    /// White or pink noise, or the hum of mains.
    private static func addNoise(_ samples: inout [Float], _ decibels: Double, _ rate: Double, _ random: SeededRandom) {
        var random = random
        var noise: [Float]
        switch random.below(4) {
        case 0: noise = samples.indices.map { _ in Float(random.real(-1...1)) }
        case 1:
            let pitch = random.pick([50.0, 60, 100, 120]), phase = random.real(0...6.28)
            noise = samples.indices.map { index in
                let angle = 2 * .pi * pitch * Double(index) / rate + phase
                return Float(sin(angle) + 0.5 * sin(2 * angle) + 0.3 * sin(3 * angle))
            }
        default:
            // A sum of ever slower white noises falls by 3 dB an octave.
            var rows = [Float](repeating: 0, count: 8)
            noise = samples.indices.map { index in
                rows[min(7, (index + 1).trailingZeroBitCount)] = Float(random.real(-1...1))
                return rows.reduce(Float(random.real(-1...1)), +)
            }
        }
        let level = power(samples), own = power(noise)
        guard level > 0, own > 0 else { return }
        let factor = (level / own * Float(pow(10, -decibels / 10))).squareRoot()
        for i in samples.indices { samples[i] += factor * noise[i] }
    }

    /// mu-law with fewer or as many steps as telephones have.
    private static func quantise(_ samples: inout [Float], _ steps: Float) {
        let mu: Float = 255, scale = log(1 + mu)
        for i in samples.indices {
            let value = max(-1, min(1, samples[i]))
            let level = (log(1 + mu * abs(value)) / scale * steps).rounded() / steps
            samples[i] = (value < 0 ? -1 : 1) * (exp(level * scale) - 1) / mu
        }
    }

    private static func power(_ samples: [Float]) -> Float {
        samples.reduce(0) { $0 + $1 * $1 } / Float(max(1, samples.count))
    }

    private static func setPower(_ samples: inout [Float], _ wanted: Float) {
        let own = power(samples)
        guard own > 0 else { return }
        let factor = (wanted / own).squareRoot()
        for i in samples.indices { samples[i] *= factor }
    }
}

/// A filter of the second order; those with an edge are applied twice, for a steeper one. Formulas: Bristow-Johnson's cookbook.
private struct Biquad {
    private let b: (Float, Float, Float)
    private let a: (Float, Float)
    private let passes: Int

    init(lowPass frequency: Double, _ rate: Double) { self.init(frequency, rate, isHighPass: false) }
    init(highPass frequency: Double, _ rate: Double) { self.init(frequency, rate, isHighPass: true) }

    private init(_ frequency: Double, _ rate: Double, isHighPass: Bool) {
        let (sine, cosine) = Self.angle(frequency, rate), alpha = sine / 2.squareRoot()
        let edge = isHighPass ? (1 + cosine) / 2 : (1 - cosine) / 2
        self.init((edge, (isHighPass ? -2 : 2) * edge, edge), (1 + alpha, -2 * cosine, 1 - alpha), passes: 2)
    }

    /// A band around the frequency (Q = 1: 1.4 octaves), louder or softer by so much.
    init(band frequency: Double, decibels: Double, _ rate: Double) {
        let (sine, cosine) = Self.angle(frequency, rate), alpha = sine / 2, amplitude = pow(10, decibels / 40)
        self.init(
            (1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude), (1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude), passes: 1)
    }

    private init(_ b: (Double, Double, Double), _ a: (Double, Double, Double), passes: Int) {
        self.b = (Float(b.0 / a.0), Float(b.1 / a.0), Float(b.2 / a.0))
        self.a = (Float(a.1 / a.0), Float(a.2 / a.0))
        self.passes = passes
    }

    private static func angle(_ frequency: Double, _ rate: Double) -> (sine: Double, cosine: Double) {
        let angle = 2 * Double.pi * min(max(frequency, 1), 0.49 * rate) / rate
        return (sin(angle), cos(angle))
    }

    func apply(to samples: inout [Float]) {
        for _ in 0..<passes {
            var (x1, x2, y1, y2): (Float, Float, Float, Float) = (0, 0, 0, 0)
            for i in samples.indices {
                let x = samples[i], y = b.0 * x + b.1 * x1 + b.2 * x2 - a.0 * y1 - a.1 * y2
                (x2, x1, y2, y1) = (x1, x, y1, y)
                samples[i] = y
            }
        }
    }
}
