#pragma once

// JSON as it appears in results and options: free-form members keep the server's value as a boost::json type.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace hfhub {

namespace json = boost::json;

/// A JSON value in options: a view, null where nothing was given. What it looks at must live until the call was made.
class JsonView {
  public:
    constexpr JsonView() noexcept = default;
    JsonView(const json::value& value) noexcept : value_(&value) {}
    explicit operator bool() const noexcept { return value_ != nullptr && !value_->is_null(); }
    const json::value& operator*() const noexcept { return *value_; }
    const json::value* operator->() const noexcept { return value_; }

  private:
    const json::value* value_ = nullptr;
};

}  // namespace hfhub
