// How far a waveform's spectra are from another's, at several resolutions: what a vocoder is trained by.
import Foundation
import LyraModel
import MLX

/// Differences of short-time spectra (Yamamoto et al. 2020, Parallel WaveGAN) and of mel spectra (Kong et al. 2020, HiFi-GAN).
///
/// Windows are Hann's, a quarter of their length apart, scaled so that magnitudes are amplitudes; a frame counts only if it
/// lies within the samples. Transforms are matrix products, which are what a CPU does fastest.
struct SpectralLoss {
    /// Logarithms begin here: 80 dB below full scale.
    static let floor: Float = 1e-4
    private let resolutions: [Resolution]
    /// Of the resolution that mel spectra are made at: [mel bins, length / 2 + 1].
    private let filters: MLXArray
    private let melLength: Int

    private struct Resolution {
        let length: Int
        /// Cosines, then sines: [2 (length / 2 + 1), length].
        let transform: MLXArray
    }

    /// - Parameter lengths: of windows in samples, multiples of 4.
    init(lengths: [Int] = [256, 512, 1024, 2048], melBins: Int = 80, melLength: Int = 1024) {
        resolutions = lengths.map { Resolution(length: $0, transform: Self.transform($0)) }
        self.melLength = melLength
        filters = MLXArray(LogMel.melFilters(bins: melBins, size: melLength), [melBins, melLength / 2 + 1])
    }

    private static func transform(_ length: Int) -> MLXArray {
        let columns = length / 2 + 1
        var values = [Float](repeating: 0, count: 2 * columns * length)
        let table = (0..<length).map { 2 * Double.pi * Double($0) / Double(length) }.map { (cos($0), sin($0)) }
        for i in 0..<length {
            // The window's values add up to length / 2, and half of a sine's amplitude lies at negative frequencies.
            let window = (0.5 - 0.5 * table[i].0) * 4 / Double(length)
            for column in 0..<columns {
                let (c, s) = table[column * i % length]
                values[column * length + i] = Float(window * c)
                values[(columns + column) * length + i] = Float(window * s)
            }
        }
        return MLXArray(values, [2 * columns, length])
    }

    /// Magnitudes of all frames: [runs, samples] -> [runs, frames, length / 2 + 1].
    private func magnitudes(_ waves: MLXArray, _ resolution: Resolution) -> MLXArray {
        let hop = resolution.length / 4, runs = waves.dim(0), quarters = waves.dim(1) / hop
        let cut = waves[0..., ..<(quarters * hop)].reshaped([runs, quarters, hop])
        let frames = concatenated((0..<4).map { cut[0..., $0..<(quarters - 3 + $0)] }, axis: 2)
        let parts = Kernel.linear(frames, weight: resolution.transform)
        let (real, imaginary) = (parts[.ellipsis, ..<(resolution.length / 2 + 1)], parts[.ellipsis, (resolution.length / 2 + 1)...])
        return sqrt(real * real + imaginary * imaginary + Self.floor * Self.floor)
    }

    /// - Returns: spectral convergence and the mean difference of log magnitudes, both averaged over resolutions, and the
    ///   mean difference of log mel magnitudes; scalars in float32.
    func callAsFunction(_ waves: MLXArray, _ target: MLXArray) -> (convergence: MLXArray, magnitude: MLXArray, mel: MLXArray) {
        var convergence = MLXArray(Float(0)), magnitude = MLXArray(Float(0)), mel = MLXArray(Float(0))
        for resolution in resolutions {
            let (ours, theirs) = (magnitudes(waves, resolution), magnitudes(target, resolution))
            let difference = theirs - ours
            convergence = convergence + sqrt(square(difference).sum()) / sqrt(square(theirs).sum())
            magnitude = magnitude + abs(log(theirs) - log(ours)).mean()
            if resolution.length == melLength {
                func logMel(_ x: MLXArray) -> MLXArray { log(Kernel.linear(x, weight: filters) + Self.floor) }
                mel = abs(logMel(theirs) - logMel(ours)).mean()
            }
        }
        let count = Float(resolutions.count)
        return (convergence / count, magnitude / count, mel)
    }
}
