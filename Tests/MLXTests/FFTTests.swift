// Fourier transforms against the sum that defines them.
import Foundation
import MLX
import Testing

/// Real and imaginary parts of sum x_t exp(-2 pi i f t / n), for frequencies 0 ... n / 2.
private func discreteTransform(_ x: [Float]) -> ([Float], [Float]) {
    let n = x.count
    let frequencies = 0...(n / 2)
    func sum(_ f: Int, _ wave: (Double) -> Double) -> Float {
        Float(x.indices.reduce(0.0) { $0 + Double(x[$1]) * wave(2 * Double.pi * Double(f * $1 % n) / Double(n)) })
    }
    return (frequencies.map { f in sum(f) { cos($0) } }, frequencies.map { f in sum(f) { -sin($0) } })
}

@Suite struct FFTTests {
    /// 400, Whisper's frame, is no power of two.
    @Test(arguments: [8, 15, 400]) func transformsReals(n: Int) {
        let x = (0..<n).map { sin(Float($0 * $0)) }
        let (real, imaginary) = discreteTransform(x)
        let y = MLXFFT.rfft(MLXArray(x))
        #expect(y.shape == [n / 2 + 1])
        #expect(y.dtype == .complex64)
        #expect(close(y.realPart().asArray(Float.self), real, 1e-4))
        #expect(close(y.imaginaryPart().asArray(Float.self), imaginary, 1e-4))
        #expect(close(abs(y).asArray(Float.self), zip(real, imaginary).map { ($0 * $0 + $1 * $1).squareRoot() }, 1e-4))
        #expect(close(MLXFFT.irfft(y, n: n).asArray(Float.self), x))
        let full = MLXFFT.fft(MLXArray(x))
        #expect(full.shape == [n])
        #expect(close(full.realPart().asArray(Float.self).prefix(n / 2 + 1).map { $0 }, real, 1e-4))
        #expect(close(MLXFFT.ifft(full).realPart().asArray(Float.self), x))
    }

    @Test func padsAndPicksAxes() {
        let x = MLXRandom.normal([3, 5], key: MLXRandom.key(1))
        #expect(MLXFFT.rfft(x, n: 8).shape == [3, 5])
        #expect(MLXFFT.rfft(x, axis: 0).shape == [2, 5])
        let other = MLXFFT.rfft(x.T, axis: 1).T
        #expect(abs(MLXFFT.rfft(x, axis: 0) - other).max().item(Float.self) < 1e-5)
    }

    @Test func windowIsPeriodic() {
        #expect(close(MLXFFT.hann(4).asArray(Float.self), [0, 0.5, 1, 0.5]))
    }

    @Test func shortTimeTransformIsThatOfItsFrames() {
        let (length, hop) = (16, 6)
        let x = (0..<50).map { cos(Float($0) * 0.7) + Float($0) / 50 }
        let y = MLXFFT.stft(MLXArray(x), length: length, hop: hop)
        #expect(y.shape == [9, 1 + 50 / hop])
        let mirrored = (1...8).reversed().map { x[$0] } + x + (1...8).map { x[49 - $0] }
        let window = MLXFFT.hann(length).asArray(Float.self)
        for frame in 0..<y.dim(1) {
            let (real, imaginary) = discreteTransform((0..<length).map { mirrored[frame * hop + $0] * window[$0] })
            #expect(close(y[0..., frame].realPart().asArray(Float.self), real, 1e-4))
            #expect(close(y[0..., frame].imaginaryPart().asArray(Float.self), imaginary, 1e-4))
        }
        let plain = MLXFFT.stft(MLXArray(x), length: length, hop: hop, window: ones([length]), centre: false)
        #expect(plain.shape == [9, 6])
        #expect(close(plain[0..., 1].realPart().asArray(Float.self), discreteTransform(Array(x[6..<22])).0, 1e-4))
    }

    @Test func shortTimeTransformComesBack() {
        let x = MLXRandom.normal([2, 400], key: MLXRandom.key(2))
        let y = MLXFFT.stft(x, length: 16, hop: 4)
        #expect(y.shape == [2, 9, 101])
        #expect(
            close(MLXFFT.istft(y, length: 16, hop: 4, samples: 400).asArray(Float.self), x.asArray(Float.self), 1e-4))
    }

    @Test func gradientsPass() {
        let g = grad { (x: MLXArray) in square(abs(MLXFFT.rfft(x))).sum() }(MLXArray([1, 2, 3, 4] as [Float]))
        // Sum over the whole spectrum of |X|^2 is 4 sum x^2; frequencies 0 and 2 count once here, 1 stands for 3 too:
        // 4 x_t + X_0 + X_2 (-1)^t.
        #expect(close(g.asArray(Float.self), [12, 20, 20, 28], 1e-4))
    }
}
