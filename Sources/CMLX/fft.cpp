// Fourier transforms along one axis.
#include "internal.hpp"
#include "mlx/fft.h"

using namespace cmlx;

int cmlx_fft(cmlx_fft_op op, cmlx_array a, int n, int axis, cmlx_array *out) {
    return produce(out, [&] {
        using namespace mx::fft;
        const auto s = stream();
        const auto norm = FFTNorm::Backward;
        const mx::Shape lengths{n};
        const std::vector<int> axes{axis};
        switch (op) {
        case CMLX_FFT: return n ? fftn(a->value, lengths, axes, norm, s) : fftn(a->value, axes, norm, s);
        case CMLX_IFFT: return n ? ifftn(a->value, lengths, axes, norm, s) : ifftn(a->value, axes, norm, s);
        case CMLX_RFFT: return n ? rfftn(a->value, lengths, axes, norm, s) : rfftn(a->value, axes, norm, s);
        case CMLX_IRFFT: return n ? irfftn(a->value, lengths, axes, norm, s) : irfftn(a->value, axes, norm, s);
        }
        throw std::invalid_argument("unknown Fourier transform");
    });
}

int cmlx_stft(cmlx_array a, int length, int hop, cmlx_array window, bool centre, cmlx_array *out) {
    return produce(out, [&] {
        const int window_length = static_cast<int>(window->value.size());
        return mx::fft::stft(a->value, length, hop, window_length, window->value, centre, "reflect",
                             mx::fft::FFTNorm::Backward, true, stream());
    });
}

int cmlx_istft(cmlx_array a, int length, int hop, cmlx_array window, bool centre, int samples, cmlx_array *out) {
    return produce(out, [&] {
        const int window_length = static_cast<int>(window->value.size());
        const auto wanted = samples ? std::optional(samples) : std::nullopt;
        return mx::fft::istft(a->value, length, hop, window_length, window->value, centre,
                              mx::fft::FFTNorm::Backward, true, wanted, stream());
    });
}
