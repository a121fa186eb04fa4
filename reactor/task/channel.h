// A bounded queue between coroutines: a full one makes its senders wait.
#pragma once

#include <deque>
#include <vector>

#include "reactor/task/task.h"
#include "reactor/task/waiters.h"

namespace musher {

/// Loop thread only. After close(), receivers take what is left, then get `not_found`.
template <class T>
class Channel {
  public:
    Channel(ReadyList& ready, std::size_t capacity)
        : capacity_(capacity), senders_(ready), receivers_(ready) {}

    /// Waits while full. `conflict` when closed; the item is lost then.
    Task<Result<void>> send(T item, Cancel& cancel) {
        while (!closed_ && items_.size() >= capacity_) {
            MUSHER_CO_DO(co_await senders_.wait(cancel));
        }
        if (closed_) co_return fail(Errc::conflict, "the channel is closed");
        items_.push_back(std::move(item));
        receivers_.wake_one();
        co_return Result<void>();
    }

    /// False, and the item untouched, when full or closed.
    bool try_send(T&& item) {
        if (closed_ || items_.size() >= capacity_) return false;
        items_.push_back(std::move(item));
        receivers_.wake_one();
        return true;
    }

    /// 1 to `most` items, as soon as there is one.
    Task<Result<std::vector<T>>> receive(std::size_t most, Cancel& cancel) {
        while (items_.empty()) {
            if (closed_) co_return fail(Errc::not_found, "the channel is closed and empty");
            MUSHER_CO_DO(co_await receivers_.wait(cancel));
        }
        std::vector<T> taken;
        while (!items_.empty() && taken.size() < most) {
            taken.push_back(std::move(items_.front()));
            items_.pop_front();
        }
        senders_.wake_all();
        if (!items_.empty()) receivers_.wake_one();
        co_return taken;
    }

    void close() {
        closed_ = true;
        senders_.wake_all();
        receivers_.wake_all();
    }

    void set_capacity(std::size_t capacity) {
        capacity_ = capacity;
        senders_.wake_all();
    }
    std::size_t size() const { return items_.size(); }
    std::size_t capacity() const { return capacity_; }
    std::size_t room() const { return items_.size() < capacity_ ? capacity_ - items_.size() : 0; }
    bool closed() const { return closed_; }

  private:
    std::size_t capacity_;
    bool closed_ = false;
    std::deque<T> items_;
    Waiters senders_;
    Waiters receivers_;
};

}  // namespace musher
