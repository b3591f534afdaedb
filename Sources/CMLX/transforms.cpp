// Transformations of functions that are written in another language.
#include "internal.hpp"
#include "cmlx_transforms.h"
#include <memory>

using namespace cmlx;

using Arrays = std::vector<mx::array>;

struct cmlx_list_s {
    Arrays values;
};

namespace {

void succeed(int status) {
    if (status != 0) throw std::runtime_error(cmlx_last_error());
}

std::function<Arrays(const Arrays &)> callable(cmlx_function function, void *context,
                                               std::shared_ptr<void> owner = nullptr) {
    return [function, context, owner](const Arrays &inputs) {
        cmlx_list_s given{inputs}, outputs;
        succeed(function(context, &given, &outputs));
        return std::move(outputs.values);
    };
}

using Transform = std::pair<Arrays, Arrays> (*)(const std::function<Arrays(const Arrays &)> &, const Arrays &,
                                                const Arrays &);

int transform(Transform transform, cmlx_function function, void *context, cmlx_list inputs, cmlx_list vectors,
              cmlx_list values, cmlx_list products) {
    return guard([&] {
        std::tie(values->values, products->values) = transform(callable(function, context), inputs->values,
                                                               vectors->values);
    });
}

}  // namespace

int cmlx_list_new(cmlx_list *out) {
    return guard([&] { *out = new cmlx_list_s; });
}
void cmlx_list_free(cmlx_list list) { release(list); }
size_t cmlx_list_count(cmlx_list list) { return list->values.size(); }
int cmlx_list_get(cmlx_list list, size_t index, cmlx_array *out) {
    return produce(out, [&] { return list->values.at(index); });
}
int cmlx_list_append(cmlx_list list, cmlx_array array) {
    return guard([&] { list->values.push_back(array->value); });
}

void cmlx_report(const char *message) { set_error(message); }

int cmlx_value_and_grad(cmlx_function function, void *context, cmlx_list inputs, const int32_t *arguments, size_t count,
                        cmlx_list values, cmlx_list gradients) {
    return guard([&] {
        const auto both = mx::value_and_grad(callable(function, context), to_ints(arguments, count));
        std::tie(values->values, gradients->values) = both(inputs->values);
    });
}

int cmlx_vjp(cmlx_function function, void *context, cmlx_list inputs, cmlx_list cotangents, cmlx_list values,
             cmlx_list products) {
    return transform(&mx::vjp, function, context, inputs, cotangents, values, products);
}

int cmlx_jvp(cmlx_function function, void *context, cmlx_list inputs, cmlx_list tangents, cmlx_list values,
             cmlx_list products) {
    return transform(&mx::jvp, function, context, inputs, tangents, values, products);
}

int cmlx_checkpoint(cmlx_function function, void *context, void (*release)(void *), cmlx_list inputs,
                    cmlx_list outputs) {
    return guard([&] {
        std::shared_ptr<void> owner(context, release);
        outputs->values = mx::checkpoint(callable(function, context, owner))(inputs->values);
    });
}

int cmlx_custom(cmlx_function function, cmlx_gradient gradient, void *context, void (*release)(void *),
                cmlx_list inputs, cmlx_list outputs) {
    return guard([&] {
        std::shared_ptr<void> owner(context, release);
        const auto pullback = [gradient, context, owner](const Arrays &inputs, const Arrays &cotangents,
                                                         const Arrays &outputs) {
            cmlx_list_s given{inputs}, vectors{cotangents}, values{outputs}, results;
            succeed(gradient(context, &given, &vectors, &values, &results));
            return std::move(results.values);
        };
        outputs->values = mx::custom_vjp(callable(function, context, owner), pullback)(inputs->values);
    });
}
