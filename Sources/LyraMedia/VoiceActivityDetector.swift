// Whether somebody speaks: sound in as it comes, beginnings and ends of speech out.
import Foundation

/// Tells speech from silence and noise in a stream of samples at 16 kHz.
///
/// Every 10 ms the last 32 ms are looked at: how far 24 bands rise above their own noise, which is tracked as the minimum of
/// the last 1.6 s, and how periodic the sound is, as voices are. A logistic regression over these weighs them; its weights were
/// fitted on recordings of read speech with white, pink, humming, swelling and clicking noise at 5 to 20 dB. Beginnings need
/// 80 ms of speech within 120 ms, so that clicks are none.
public struct VoiceActivityDetector: Sendable {
    public struct Options: Sendable, Equatable {
        /// Probability from which a moment is speech, 0...1; higher for noisy places.
        public var threshold: Float = 0.5
        /// Seconds before the first sound that still belong to it.
        public var prefixPadding = 0.3
        /// Seconds of silence that end speech.
        public var silenceDuration = 0.5
        /// Seconds of silence after which a pause is reported that may be the end.
        public var pauseDuration = 0.2

        public init() {}
    }

    /// What happened; times are seconds since the first sample.
    public enum Event: Sendable, Equatable {
        /// Speech began; the time is earlier than its first sound by the padding.
        case started(at: Double)
        /// The speaker is silent since that time; either of the others follows.
        case pausing(since: Double)
        case resumed
        /// Speech ended at that time, a while ago.
        case stopped(at: Double)
    }

    public let options: Options
    public private(set) var isSpeaking = false
    /// Of the latest moment.
    public private(set) var probability: Float = 0

    private static let frame = 160, window = 512
    private static let startWindow = 12, startCount = 8
    /// Bounds of the bands, in steps of 31.25 Hz.
    private static let edges = [3, 6, 8, 11, 14, 17, 21, 25, 30, 34, 40, 45, 52, 59, 66, 74, 83, 93, 104, 115, 128, 142, 157, 174, 192]
    /// Of the mean rise over noise, of its lower and upper half, of the six bands that rise most, of periodicity, of both; the constant.
    private static let weights: [Float] = [-0.8229, -0.8307, -0.3099, 1.5917, -0.5754, 4.8552, -5.2153]
    /// Frames over which features are averaged.
    private static let smoothing = 7

    private let transform = FourierTransform(1_024)
    private let taper: [Float]
    /// Autocorrelation of the taper.
    private let taperCorrelation: [Float]
    private var samples: [Float] = []
    private var frames = 0
    private var recent: [[Float]] = []
    private var noise = NoiseFloor(bands: edges.count - 1)
    private var activity: [Bool] = []
    private var lastSpeech = 0
    private var isPausing = false

    public init(options: Options = Options()) {
        self.options = options
        let taper = (0..<Self.window).map { Float(0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(Self.window - 1))) }
        self.taper = taper
        let correlation = transform.autocorrelation(transform.power(taper))
        taperCorrelation = correlation.map { $0 / correlation[0] }
    }

    /// Forgets a beginning or an utterance, but not what the noise is like.
    public mutating func reset() {
        (isSpeaking, isPausing, activity) = (false, false, [])
    }

    public mutating func append(_ new: [Float]) -> [Event] {
        samples += new
        var events: [Event] = [], start = 0
        while start + Self.window <= samples.count {
            probability = probability(of: samples[start..<(start + Self.window)])
            step(&events)
            frames += 1
            start += Self.frame
        }
        samples.removeFirst(start)
        return events
    }

    private func time(_ frame: Int) -> Double { Double(frame * Self.frame) / 16_000 }

    private mutating func step(_ events: inout [Event]) {
        guard isSpeaking else {
            activity = activity.suffix(Self.startWindow - 1) + [probability >= options.threshold]
            guard activity.count(where: { $0 }) >= Self.startCount, let first = activity.firstIndex(of: true) else { return }
            // Averages lag behind by two frames.
            let begin = time(frames - activity.count + 1 + first) - 0.02
            (isSpeaking, isPausing, lastSpeech, activity) = (true, false, frames, [])
            return events.append(.started(at: max(0, begin - options.prefixPadding)))
        }
        // Staying takes less than starting.
        if probability >= options.threshold * 0.8 {
            lastSpeech = frames
            if isPausing {
                isPausing = false
                events.append(.resumed)
            }
            return
        }
        let silence = time(frames - lastSpeech)
        if silence >= options.silenceDuration {
            isSpeaking = false
            events.append(.stopped(at: time(lastSpeech)))
        } else if !isPausing, silence >= options.pauseDuration {
            isPausing = true
            events.append(.pausing(since: time(lastSpeech)))
        }
    }

    private mutating func probability(of window: ArraySlice<Float>) -> Float {
        let mean = window.reduce(0, +) / Float(window.count)
        let shaped = zip(window, taper).map { ($0.isFinite ? $0 - mean : 0) * $1 }
        var power = transform.power(shaped)  // steps of 15.6 Hz
        let bands = (0..<(Self.edges.count - 1)).map { band -> Float in
            let range = Self.edges[band]..<Self.edges[band + 1]
            return range.reduce(0) { $0 + power[2 * $1] } / Float(range.count)
        }
        let floor = noise.update(bands)
        // Nothing below some -70 dB of full scale is taken for speech.
        let rise = zip(bands, floor).map { 10 * log10(max($0, 1e-9) / max($1, 1e-5)) }
        func average(_ values: some Collection<Float>, _ most: Float) -> Float {
            values.reduce(0) { $0 + min(max($1, 0), most) } / Float(values.count)
        }
        let top = average(rise.sorted(by: >).prefix(6), 40)
        // Voices repeat 70 to 400 times a second; looked for below 3 kHz.
        for i in power.indices where i < 4 || i >= 192 { power[i] = 0 }
        let correlation = transform.autocorrelation(power)
        let peak = (40...228).map { correlation[$0] / taperCorrelation[$0] }.max() ?? 0
        let periodicity = min(max(peak / (correlation[0] + 1e-9), 0), 1)
        let half = rise.count / 2
        recent = recent.suffix(Self.smoothing - 1) + [[
            average(rise, 30), average(rise[..<half], 30), average(rise[half...], 30), top, periodicity, max(periodicity - 0.5, 0) * top / 10,
        ]]
        var sum = Self.weights[6]
        for feature in 0..<6 { sum += Self.weights[feature] * recent.reduce(0) { $0 + $1[feature] } / Float(Self.smoothing) }
        return 1 / (1 + exp(-sum))
    }
}

/// The power of the noise in each band: the least that was there lately, over pauses and valleys of speech.
private struct NoiseFloor: Sendable {
    private static let part = 20, parts = 8
    private var smooth: [Float] = []
    private var current: [Float]
    private var past: [[Float]] = []
    private var count = 0

    init(bands: Int) { current = Array(repeating: .infinity, count: bands) }

    mutating func update(_ power: [Float]) -> [Float] {
        smooth = smooth.isEmpty ? power : zip(smooth, power).map { 0.85 * $0 + 0.15 * $1 }
        current = zip(current, smooth).map(min)
        count += 1
        if count == Self.part {
            count = 0
            past = past.suffix(Self.parts - 2) + [current]
            current = smooth
        }
        return past.reduce(current) { zip($0, $1).map(min) }
    }
}

/// A Fourier transform of real sequences, padded to a power of two.
private struct FourierTransform: Sendable {
    let size: Int
    private let cosines, sines: [Float]
    private let order: [Int]

    init(_ size: Int) {
        self.size = size
        cosines = (0..<(size / 2)).map { Float(cos(2 * .pi * Double($0) / Double(size))) }
        sines = (0..<(size / 2)).map { Float(sin(2 * .pi * Double($0) / Double(size))) }
        let bits = size.trailingZeroBitCount
        order = (0..<size).map { index in (0..<bits).reduce(0) { $0 | ((index >> $1) & 1) << (bits - 1 - $1) } }
    }

    /// |X|² from 0 to half the rate: [size / 2 + 1].
    func power(_ values: [Float]) -> [Float] {
        let (real, imaginary) = run(values)
        return (0...(size / 2)).map { real[$0] * real[$0] + imaginary[$0] * imaginary[$0] }
    }

    /// The autocorrelation whose transform is `power`, up to a factor: [size].
    func autocorrelation(_ power: [Float]) -> [Float] {
        run(power + power[1..<(size / 2)].reversed()).real
    }

    private func run(_ values: [Float]) -> (real: [Float], imaginary: [Float]) {
        var real = order.map { $0 < values.count ? values[$0] : 0 }
        var imaginary = [Float](repeating: 0, count: size)
        real.withUnsafeMutableBufferPointer { real in
            imaginary.withUnsafeMutableBufferPointer { imaginary in
                var half = 1
                while half < size {
                    let step = size / (2 * half)
                    for block in stride(from: 0, to: size, by: 2 * half) {
                        for k in 0..<half {
                            let a = block + k, b = a + half, c = cosines[k * step], s = sines[k * step]
                            let re = real[b] * c + imaginary[b] * s, im = imaginary[b] * c - real[b] * s
                            (real[b], imaginary[b]) = (real[a] - re, imaginary[a] - im)
                            (real[a], imaginary[a]) = (real[a] + re, imaginary[a] + im)
                        }
                    }
                    half *= 2
                }
            }
        }
        return (real, imaginary)
    }
}
