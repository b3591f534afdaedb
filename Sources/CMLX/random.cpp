// Random arrays, always from a key.
#include "internal.hpp"
#include "mlx/random.h"

using namespace cmlx;

int cmlx_random_key(uint64_t seed, cmlx_array *out) {
    return produce(out, [&] { return mx::random::key(seed); });
}

int cmlx_random_split(cmlx_array key, int count, cmlx_array *out) {
    return produce(out, [&] { return mx::random::split(key->value, count, stream()); });
}

int cmlx_random(cmlx_distribution kind, const int32_t *shape, size_t rank, cmlx_dtype type, cmlx_array a, cmlx_array b,
                cmlx_array key, cmlx_array *out) {
    return produce(out, [&] {
        const auto s = stream();
        const auto dimensions = to_shape(shape, rank);
        const auto dtype = to_dtype(type);
        switch (kind) {
        case CMLX_UNIFORM: return mx::random::uniform(a->value, b->value, dimensions, dtype, key->value, s);
        case CMLX_NORMAL: return mx::random::normal(dimensions, dtype, a->value, b->value, key->value, s);
        case CMLX_RANDINT: return mx::random::randint(a->value, b->value, dimensions, dtype, key->value, s);
        case CMLX_TRUNCATED_NORMAL:
            return mx::random::truncated_normal(a->value, b->value, dimensions, dtype, key->value, s);
        case CMLX_GUMBEL: return mx::random::gumbel(dimensions, dtype, key->value, s);
        case CMLX_BERNOULLI: return mx::random::bernoulli(a->value, dimensions, key->value, s);
        }
        throw std::invalid_argument("unknown distribution");
    });
}

int cmlx_random_categorical(cmlx_array logits, int axis, int count, cmlx_array key, cmlx_array *out) {
    return produce(out, [&] {
        return count < 0 ? mx::random::categorical(logits->value, axis, key->value, stream())
                         : mx::random::categorical(logits->value, axis, count, key->value, stream());
    });
}

int cmlx_random_permutation(cmlx_array a, int axis, cmlx_array key, cmlx_array *out) {
    return produce(out, [&] { return mx::random::permutation(a->value, axis, key->value, stream()); });
}
