// Fourier transforms along one axis, and the short-time transform that log-mel spectra are made from.
import CMLX

/// Fourier transforms. Forward ones are not scaled, inverse ones divide by the length.
public enum MLXFFT {
    private static func transform(_ op: cmlx_fft_op, _ array: MLXArray, _ n: Int?, _ axis: Int) -> MLXArray {
        require(n.map { $0 > 0 } ?? true, "a Fourier transform of length \(n ?? 0)")
        return MLXArray.make { cmlx_fft(op, array.handle, int32(n ?? 0), int32(axis), $0) }
    }

    /// Transform of complex or real values; `n`: the length to cut or pad to with zeros.
    public static func fft(_ array: MLXArray, n: Int? = nil, axis: Int = -1) -> MLXArray {
        transform(CMLX_FFT, array, n, axis)
    }

    /// Inverse of ``fft(_:n:axis:)``.
    public static func ifft(_ array: MLXArray, n: Int? = nil, axis: Int = -1) -> MLXArray {
        transform(CMLX_IFFT, array, n, axis)
    }

    /// Transform of real values: the n / 2 + 1 frequencies that are not mirrored.
    public static func rfft(_ array: MLXArray, n: Int? = nil, axis: Int = -1) -> MLXArray {
        transform(CMLX_RFFT, array, n, axis)
    }

    /// Inverse of ``rfft(_:n:axis:)``; `n`: the length of the result.
    public static func irfft(_ array: MLXArray, n: Int? = nil, axis: Int = -1) -> MLXArray {
        transform(CMLX_IRFFT, array, n, axis)
    }

    /// Hann window of `length`, periodic as for spectra: 0.5 - 0.5 cos(2 pi i / length).
    public static func hann(_ length: Int) -> MLXArray {
        0.5 - 0.5 * cos(MLXArray.arange(length, dtype: .float32) * (2 * Double.pi / Double(length)))
    }

    /// Short-time transform of the last axis: `[..., samples]` -> `[..., length / 2 + 1, frames]`, complex.
    ///
    /// A frame of `length` begins every `hop` samples and is multiplied by `window`. `centre`: the ends are first
    /// mirrored by half a frame, so that frame i is about sample i hop.
    public static func stft(_ array: MLXArray, length: Int, hop: Int, window: MLXArray? = nil, centre: Bool = true)
        -> MLXArray
    {
        let window = window ?? hann(length)
        return withExtendedLifetime(window) {
            MLXArray.make { cmlx_stft(array.handle, int32(length), int32(hop), window.handle, centre, $0) }
        }
    }

    /// Inverse of ``stft(_:length:hop:window:centre:)`` by overlap and add; `samples`: how many to return.
    public static func istft(
        _ array: MLXArray, length: Int, hop: Int, window: MLXArray? = nil, centre: Bool = true, samples: Int? = nil
    ) -> MLXArray {
        let window = window ?? hann(length)
        return withExtendedLifetime(window) {
            MLXArray.make {
                cmlx_istft(array.handle, int32(length), int32(hop), window.handle, centre, int32(samples ?? 0), $0)
            }
        }
    }
}
