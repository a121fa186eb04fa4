// SharedJson: a JSON value that its copies share until one of them is changed.
#pragma once

#include <memory>
#include <utility>

#include "reactor/base/json.h"

namespace musher {

/// Reads like the Json that it holds; an empty object at first. Copies may live on several
/// threads, as those of a shared_ptr may.
class SharedJson {
  public:
    SharedJson() = default;
    SharedJson(Json value)  // NOLINT(google-explicit-constructor): it is a Json, shared
        : value_(std::make_shared<Json>(std::move(value))) {}

    operator const Json&() const { return **this; }  // NOLINT(google-explicit-constructor)
    const Json& operator*() const {
        static const Json none = Json::object();
        return value_ ? *value_ : none;
    }
    const Json* operator->() const { return &**this; }
    /// For changes, which no copy sees.
    Json& edit() {
        if (value_.use_count() != 1) value_ = std::make_shared<Json>(**this);
        return *value_;
    }

  private:
    std::shared_ptr<Json> value_;
};

}  // namespace musher
