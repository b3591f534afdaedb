// Log-mel spectrogram as Whisper's feature extractor makes it: 25 ms Hann windows every 10 ms, mel filters on Slaney's
// scale, log10, clamped to 8 below the window's maximum, scaled to about -1...1.
import Foundation
import MLX

/// Samples -> log-mel windows.
public struct LogMel {
    public static let sampleRate = 16_000
    package static let transformSize = 400
    /// Samples between mel frames.
    public static let hopSamples = 160
    private static let hop = hopSamples

    /// Mel bands.
    public let bins: Int
    /// Frames of one window.
    public let frames: Int
    /// Samples of one window (30 s for 3000 frames).
    public var windowSamples: Int { frames * Self.hop }
    /// Hann-windowed cosines, then sines: [402, 400]. As a matrix product the transform of 3,000 frames costs 1 GFLOP, a
    /// few milliseconds, less than as many small FFTs.
    private let transform: MLXArray
    /// [bins, 201]
    private let filters: MLXArray

    public init(bins: Int, frames: Int = 3_000) {
        self.bins = bins
        self.frames = frames
        let size = Self.transformSize, columns = size / 2 + 1
        transform = MLXArray(Self.windowedTransform(), [2 * columns, size])
        filters = MLXArray(Self.melFilters(bins: bins), [bins, columns])
    }

    /// One window; shorter sound is padded with silence, longer is an error of the caller. -> [bins, frames]
    public func callAsFunction(_ samples: some RandomAccessCollection<Float>) -> MLXArray {
        self(windows: CollectionOfOne(samples))[0]
    }

    /// Several windows, each as one by itself. -> [windows, bins, frames]
    public func callAsFunction<Samples: RandomAccessCollection<Float>>(windows: some RandomAccessCollection<Samples>) -> MLXArray {
        let size = Self.transformSize, columns = size / 2 + 1, windows = Array(windows), taken = frames * size
        let framed = [Float](unsafeUninitializedCapacity: windows.count * taken) { buffer, count in
            let base = buffer.baseAddress
            concurrently(windows.count) { window in
                frame(windows[window], into: UnsafeMutableBufferPointer(start: base.map { $0 + window * taken }, count: taken))
            }
            count = windows.count * taken
        }
        let parts = Kernel.linear(MLXArray(framed, [windows.count * frames, size]), weight: transform)  // [rows, 402]
        let (real, imaginary) = (parts[0..., ..<columns], parts[0..., columns...])
        let power = real * real + imaginary * imaginary
        let mel = Kernel.linear(power, weight: filters).reshaped([windows.count, frames, bins])
        let log = MLX.log10(maximum(mel, MLXArray(Float(1e-10))))
        let floor = log.max(axes: [1, 2], keepDims: true) - 8
        return ((maximum(log, floor) + 4) / 4).transposed(0, 2, 1)
    }

    /// Writes every frame's samples one after another.
    private func frame(_ samples: some RandomAccessCollection<Float>, into frames: UnsafeMutableBufferPointer<Float>) {
        precondition(samples.count <= windowSamples)
        let size = Self.transformSize, hop = Self.hop, half = size / 2
        // Reflection around both ends, as a centred STFT pads.
        var padded = [Float](repeating: 0, count: windowSamples + size)
        padded.withUnsafeMutableBufferPointer { buffer in
            // Element by element, collections of unknown type are slow.
            _ = UnsafeMutableBufferPointer(rebasing: buffer[half...]).initialize(from: samples)
        }
        for i in 1...half {
            padded[half - i] = padded[half + i]
            padded[half + windowSamples - 1 + i] = padded[half + windowSamples - 1 - i]
        }
        padded.withUnsafeBufferPointer { source in
            for frame in 0..<self.frames {
                _ = UnsafeMutableBufferPointer(rebasing: frames[(frame * size)..<((frame + 1) * size)])
                    .initialize(from: source[(frame * hop)..<(frame * hop + size)])
            }
        }
    }

    private static func windowedTransform() -> [Float] {
        let size = transformSize, columns = size / 2 + 1
        var values = [Float](repeating: 0, count: 2 * columns * size)
        for column in 0..<columns {
            for i in 0..<size {
                let window = 0.5 - 0.5 * cos(2 * Double.pi * Double(i) / Double(size))
                let angle = 2 * Double.pi * Double(column * i % size) / Double(size)
                values[column * size + i] = Float(window * cos(angle))
                values[(columns + column) * size + i] = Float(window * sin(angle))
            }
        }
        return values
    }

    /// Triangular filters, area-normalised, on Slaney's mel scale from 0 to 8 kHz. Row-major [bins, size / 2 + 1].
    package static func melFilters(bins: Int, size: Int = transformSize) -> [Float] {
        let columns = size / 2 + 1
        let top = mel(Double(sampleRate) / 2)
        let edges = (0..<(bins + 2)).map { hertz(top * Double($0) / Double(bins + 1)) }
        var filters = [Float](repeating: 0, count: bins * columns)
        for bin in 0..<bins {
            let (left, centre, right) = (edges[bin], edges[bin + 1], edges[bin + 2])
            let area = 2 / (right - left)
            for column in 0..<columns {
                let frequency = Double(column) * Double(sampleRate) / Double(size)
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
