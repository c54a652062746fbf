#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hfhub {

/// ASCII case-insensitive equality, as field names compare (RFC 9110 5.1).
bool iequals(std::string_view a, std::string_view b) noexcept;

/// Header fields in the order they were added; names are kept in lower case, values as given.
/// All of them live on one page, so an answer costs one allocation whatever its number of fields.
class HttpHeaders {
  public:
    struct Field {
        std::string_view name;
        std::string_view value;
    };

    HttpHeaders() noexcept = default;
    HttpHeaders(std::initializer_list<Field> fields);
    HttpHeaders(const HttpHeaders& other);
    HttpHeaders(HttpHeaders&& other) noexcept
        : page_(std::move(other.page_)),
          capacity_(std::exchange(other.capacity_, 0)),
          used_(std::exchange(other.used_, 0)),
          count_(std::exchange(other.count_, 0)),
          odd_name_(std::exchange(other.odd_name_, false)) {}
    HttpHeaders& operator=(HttpHeaders other) noexcept {
        swap(other);
        return *this;
    }
    ~HttpHeaders() = default;
    void swap(HttpHeaders& other) noexcept;

    /// Appends a field; several of one name are allowed.
    void add(std::string_view name, std::string_view value);
    /// Replaces all fields of that name by this one.
    void set(std::string_view name, std::string_view value);
    /// Removes all fields of that name.
    void erase(std::string_view name);
    void clear() noexcept;

    bool contains(std::string_view name) const noexcept { return find(name) != npos; }
    /// Value of the first field of that name.
    std::optional<std::string_view> get(std::string_view name) const noexcept;
    /// Value of the first field of that name, empty where there is none.
    std::string_view value(std::string_view name) const noexcept;
    /// All values of that name, joined by ", " (RFC 9110 5.3).
    std::string joined(std::string_view name) const;

    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    Field operator[](std::size_t index) const noexcept;
    /// Bytes of all names and values.
    std::size_t bytes() const noexcept { return used_; }
    /// Whether every field is one field on the wire too: no line end or NUL anywhere, and of names no blank or colon
    /// (RFC 9110 5.1, 5.5).
    bool are_safe() const noexcept;

    class Iterator {
      public:
        Iterator(const HttpHeaders* headers, std::size_t index) : headers_(headers), index_(index) {}
        Field operator*() const noexcept { return (*headers_)[index_]; }
        Iterator& operator++() noexcept { return ++index_, *this; }
        bool operator!=(const Iterator& other) const noexcept { return index_ != other.index_; }

      private:
        const HttpHeaders* headers_;
        std::size_t index_;
    };
    Iterator begin() const noexcept { return {this, 0}; }
    Iterator end() const noexcept { return {this, count_}; }

  private:
    struct Entry {
        std::uint32_t at, name, value;  // the name's offset and both lengths; the value follows the name
    };
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
    std::size_t find(std::string_view name) const noexcept;
    Entry entry(std::size_t index) const noexcept;
    void put_entry(std::size_t index, const Entry& entry) noexcept;
    bool owns(std::string_view text) const noexcept;
    void make_room(std::size_t bytes);

    std::unique_ptr<char[]> page_;  // names and values from its begin on, entries from its end back
    std::size_t capacity_ = 0, used_ = 0, count_ = 0;
    bool odd_name_ = false;  // a name was added that holds what no name may hold
};

}  // namespace hfhub
