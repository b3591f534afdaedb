// What every user of oneDNN here shares: the engine, running a primitive, a bounded cache of prepared primitives.
#pragma once
#include <dnnl.hpp>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>

namespace cmlx::onednn {

const dnnl::engine &engine();

/// Runs a primitive on the calling thread's team and waits for it.
void execute(const dnnl::primitive &primitive, const std::unordered_map<int, dnnl::memory> &arguments);

/// Values by key, made on demand, the least recently used dropped beyond `capacity`. Safe to use from any thread.
template <class Key, class Value>
class Cache {
public:
    explicit Cache(size_t capacity) : capacity_(capacity) {}

    template <class Make>
    Value get(const Key &key, Make &&make) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (auto found = index_.find(key); found != index_.end()) {
            order_.splice(order_.begin(), order_, found->second);
            return found->second->second;
        }
        order_.emplace_front(key, make());
        index_[key] = order_.begin();
        if (order_.size() > capacity_) {
            index_.erase(order_.back().first);
            order_.pop_back();
        }
        return order_.front().second;
    }

private:
    const size_t capacity_;
    std::mutex mutex_;
    std::list<std::pair<Key, Value>> order_;
    std::map<Key, typename std::list<std::pair<Key, Value>>::iterator> index_;
};

}  // namespace cmlx::onednn
