#include "attention_backward.hpp"
#include "composed.hpp"
namespace cmlx {
std::vector<mx::array> attention_gradients(const std::vector<mx::array> &primals, const mx::array &out,
                                           const mx::array &log_sums, const mx::array &upstream, float scale, bool causal,
                                           mx::Stream s) {
    return mx::vjp([=](const std::vector<mx::array>&p){ return std::vector<mx::array>{composed::attention(p[0],p[1],p[2],scale,causal,s)};}, primals, {upstream}).second;
}
}
