// The C entry points of the kernels that only training needs: check shapes, then record the operation.
#include "entry.hpp"
#include "losses.hpp"
#include "optimizer.hpp"

using namespace cmlx;

namespace {

/// Throws unless each sample's extents lie from `least` to the array's axes.
std::vector<Extent> extents(const char *what, const int32_t *first, const int32_t *second, int batch, Extent least,
                            Extent most) {
    std::vector<Extent> result;
    for (int b = 0; b < batch; b++) {
        const Extent e{first[b], second[b]};
        if (e.first < least.first || e.first > most.first || e.second < least.second || e.second > most.second)
            throw std::invalid_argument(std::string(what) + ": sample " + std::to_string(b) + " is to be " +
                                        std::to_string(e.first) + " by " + std::to_string(e.second) + " of " +
                                        std::to_string(most.first) + " by " + std::to_string(most.second));
        result.push_back(e);
    }
    return result;
}

}  // namespace

int cmlx_kernel_cross_entropy(cmlx_array logits, cmlx_array targets, cmlx_array *out) {
    return produce(out, [&] {
        const auto &x = logits->value, &t = targets->value;
        require(x.ndim() == 2 && t.ndim() == 1 && x.shape(0) == t.shape(0) && x.shape(1) > 0,
                "crossEntropy: logits [N, classes], targets [N]; got", {&x, &t});
        return cross_entropy(x, t, stream());
    });
}

int cmlx_kernel_soft_dtw(cmlx_array cost, const int32_t *rows, const int32_t *columns, float gamma, cmlx_array *out) {
    return produce(out, [&] {
        const auto &c = cost->value;
        require(c.ndim() == 3 && gamma > 0, "softDTW: cost [B, L, S] and a gamma above 0; got", {&c});
        return soft_dtw(c, extents("softDTW", rows, columns, c.shape(0), {1, 1}, {c.shape(1), c.shape(2)}), gamma,
                        stream());
    });
}

int cmlx_kernel_ctc_loss(cmlx_array logits, cmlx_array targets, const int32_t *starts, const int32_t *frames,
                         const int32_t *lengths, int blank, bool zero_infinity, cmlx_array *out) {
    return produce(out, [&] {
        const auto &x = logits->value, &t = targets->value;
        require(x.ndim() == 2 && t.ndim() == 2 && blank >= 0 && blank < x.shape(1),
                "ctcLoss: logits [N, C], targets [B, U], a blank below C; got", {&x, &t});
        const int rows = x.shape(0), batch = t.shape(0);
        const auto used = extents("ctcLoss", frames, lengths, batch, {0, 0}, {rows, t.shape(1)});
        int free = 0;
        for (int b = 0; b < batch; b++) {
            require(starts[b] >= free && starts[b] <= rows - frames[b],
                    "ctcLoss: samples come one after the other within the rows; got others for", {&x});
            free = starts[b] + frames[b];
        }
        return ctc_loss(x, t, std::vector<int>(starts, starts + batch), used, blank, zero_infinity, stream());
    });
}

int cmlx_kernel_adamw(cmlx_array parameter, cmlx_array gradient, cmlx_array first, cmlx_array second,
                      const cmlx_adamw *settings, cmlx_array out[3]) {
    return guard([&] {
        const auto &p = parameter->value, &g = gradient->value, &m = first->value, &v = second->value;
        require(p.shape() == g.shape() && p.shape() == m.shape() && p.shape() == v.shape() && p.dtype() == mx::float32 &&
                    m.dtype() == mx::float32 && v.dtype() == mx::float32,
                "adamW: float32 parameter and moments of the gradient's shape; got", {&p, &g, &m, &v});
        if (settings->step < 1) throw std::invalid_argument("adamW: steps count from 1");
        const auto all = adamw(p, g, m, v, *settings, stream());
        for (int i = 0; i < 3; i++) out[i] = new cmlx_array_s{all[size_t(i)]};
    });
}

int cmlx_kernel_sum_of_squares(const cmlx_array *arrays, size_t count, cmlx_array *out) {
    return produce(out, [&] { return sum_of_squares(to_vector(arrays, count), stream()); });
}
