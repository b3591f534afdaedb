// Log-mel spectrogram as Whisper's feature extractor makes it: 25 ms Hann windows every 10 ms, mel filters on Slaney's
// scale, log10, clamped to 8 below the window's maximum, scaled to about -1...1.
import Foundation
import MLX

/// Samples -> log-mel windows.
public struct LogMel {
    public static let sampleRate = 16_000
    static let transformSize = 400
    /// Samples between mel frames.
    public static let hopSamples = 160
    private static let hop = hopSamples

    /// Mel bands.
    public let bins: Int
    /// Frames of one window.
    public let frames: Int
    /// Samples of one window (30 s for 3000 frames).
    public var windowSamples: Int { frames * Self.hop }
    private let hann: [Float]
    /// [bins, 201]
    private let filters: MLXArray

    public init(bins: Int, frames: Int = 3_000) {
        self.bins = bins
        self.frames = frames
        let size = Self.transformSize
        hann = (0..<size).map { Float(0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(size))) }
        filters = MLXArray(Self.melFilters(bins: bins), [bins, size / 2 + 1])
    }

    /// One window; shorter sound is padded with silence, longer is an error of the caller. -> [bins, frames]
    public func callAsFunction(_ samples: some RandomAccessCollection<Float>) -> MLXArray {
        precondition(samples.count <= windowSamples)
        let size = Self.transformSize, hop = Self.hop, half = size / 2
        // Reflection around both ends, as a centred STFT pads.
        var padded = [Float](repeating: 0, count: windowSamples + size)
        for (i, value) in samples.enumerated() { padded[half + i] = value }
        for i in 1...half {
            padded[half - i] = padded[half + i]
            padded[half + windowSamples - 1 + i] = padded[half + windowSamples - 1 - i]
        }
        let framed = [Float](unsafeUninitializedCapacity: frames * size) { buffer, count in
            padded.withUnsafeBufferPointer { source in
                hann.withUnsafeBufferPointer { window in
                    for frame in 0..<frames {
                        let from = frame * hop, to = frame * size
                        for i in 0..<size { buffer[to + i] = source[from + i] * window[i] }
                    }
                }
            }
            count = frames * size
        }
        let spectrum = MLXFFT.rfft(MLXArray(framed, [frames, size]), axis: -1)  // [frames, 201]
        let magnitude = abs(spectrum)
        let mel = Kernel.linear(filters, weight: magnitude * magnitude)  // [bins, frames]
        let log = MLX.log(maximum(mel, MLXArray(Float(1e-10)))) * Float(1 / log10Base)
        return (maximum(log, log.max() - 8) + 4) / 4
    }

    private let log10Base = Foundation.log(10.0)

    /// Triangular filters, area-normalised, on Slaney's mel scale from 0 to 8 kHz. Row-major [bins, 201].
    static func melFilters(bins: Int) -> [Float] {
        let columns = transformSize / 2 + 1
        let top = mel(Double(sampleRate) / 2)
        let edges = (0..<(bins + 2)).map { hertz(top * Double($0) / Double(bins + 1)) }
        var filters = [Float](repeating: 0, count: bins * columns)
        for bin in 0..<bins {
            let (left, centre, right) = (edges[bin], edges[bin + 1], edges[bin + 2])
            let area = 2 / (right - left)
            for column in 0..<columns {
                let frequency = Double(column) * Double(sampleRate) / Double(transformSize)
                let weight = min((frequency - left) / (centre - left), (right - frequency) / (right - centre))
                filters[bin * columns + column] = Float(max(0, weight) * area)
            }
        }
        return filters
    }

    /// Slaney's scale: linear below 1 kHz (3 mel a 200 Hz), logarithmic above.
    private static func mel(_ hertz: Double) -> Double {
        hertz < 1_000 ? hertz * 3 / 200 : 15 + Foundation.log(hertz / 1_000) * 27 / Foundation.log(6.4)
    }

    private static func hertz(_ mel: Double) -> Double {
        mel < 15 ? mel * 200 / 3 : 1_000 * exp(Foundation.log(6.4) / 27 * (mel - 15))
    }
}
