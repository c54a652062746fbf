#include "http/headers.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

namespace hfhub {

namespace {
// What most requests and answers need.
constexpr std::size_t usual_page = 512;

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Lower case of what may stand in a name, 0 for all else (RFC 9110 5.1, which allows less; this is what keeps one field
// from becoming two).
constexpr std::array<char, 256> name_bytes = [] {
    std::array<char, 256> table{};
    for (int byte = ' ' + 1; byte < 256; ++byte) {
        if (byte != ':' && byte != 127) table[static_cast<std::size_t>(byte)] = lower(static_cast<char>(byte));
    }
    return table;
}();
}  // namespace

bool iequals(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

HttpHeaders::HttpHeaders(std::initializer_list<Field> fields) {
    for (const Field& field : fields) add(field.name, field.value);
}

HttpHeaders::HttpHeaders(const HttpHeaders& other) {
    for (const Field field : other) add(field.name, field.value);
}

void HttpHeaders::swap(HttpHeaders& other) noexcept {
    std::swap(page_, other.page_);
    std::swap(capacity_, other.capacity_);
    std::swap(used_, other.used_);
    std::swap(count_, other.count_);
    std::swap(odd_name_, other.odd_name_);
}

HttpHeaders::Entry HttpHeaders::entry(std::size_t index) const noexcept {
    Entry entry;
    std::memcpy(&entry, page_.get() + capacity_ - (index + 1) * sizeof entry, sizeof entry);
    return entry;
}

void HttpHeaders::put_entry(std::size_t index, const Entry& entry) noexcept {
    std::memcpy(page_.get() + capacity_ - (index + 1) * sizeof entry, &entry, sizeof entry);
}

bool HttpHeaders::owns(std::string_view text) const noexcept {
    return page_ && std::greater_equal<>()(text.data(), page_.get()) && std::less<>()(text.data(), page_.get() + used_);
}

void HttpHeaders::make_room(std::size_t bytes) {
    const std::size_t entries = count_ * sizeof(Entry);
    std::size_t capacity = capacity_ == 0 ? usual_page : capacity_;
    while (capacity < used_ + bytes + entries + sizeof(Entry)) capacity *= 2;
    auto page = std::make_unique_for_overwrite<char[]>(capacity);
    if (count_ > 0) {
        std::memcpy(page.get(), page_.get(), used_);
        std::memcpy(page.get() + capacity - entries, page_.get() + capacity_ - entries, entries);
    }
    page_ = std::move(page);
    capacity_ = capacity;
}

void HttpHeaders::add(std::string_view name, std::string_view value) {
    if (owns(name) || owns(value)) return add(std::string(name), std::string(value));
    const std::size_t bytes = name.size() + value.size();
    if (used_ + bytes + (count_ + 1) * sizeof(Entry) > capacity_) make_room(bytes);
    char* at = page_.get() + used_;
    bool odd = name.empty();
    for (const char c : name) {
        const char known = name_bytes[static_cast<unsigned char>(c)];
        odd |= known == 0;
        *at++ = known == 0 ? c : known;
    }
    if (!value.empty()) std::memcpy(at, value.data(), value.size());
    put_entry(count_++, {static_cast<std::uint32_t>(used_), static_cast<std::uint32_t>(name.size()),
                         static_cast<std::uint32_t>(value.size())});
    used_ += bytes;
    odd_name_ |= odd;
}

void HttpHeaders::set(std::string_view name, std::string_view value) {
    const std::string own_name(name), own_value(value);  // they may be views of what is erased
    erase(own_name);
    add(own_name, own_value);
}

void HttpHeaders::erase(std::string_view name) {
    if (!contains(name)) return;
    HttpHeaders rest;
    for (const Field field : *this) {
        if (!iequals(field.name, name)) rest.add(field.name, field.value);
    }
    swap(rest);
}

void HttpHeaders::clear() noexcept {
    used_ = count_ = 0;
    odd_name_ = false;
}

HttpHeaders::Field HttpHeaders::operator[](std::size_t index) const noexcept {
    const Entry entry = this->entry(index);
    const char* const at = page_.get() + entry.at;
    return {{at, entry.name}, {at + entry.name, entry.value}};
}

bool HttpHeaders::are_safe() const noexcept {
    // All bytes at once and without a way out in the middle: that is what compilers turn into a few vector
    // instructions.
    unsigned bad = odd_name_;
    for (std::size_t i = 0; i < used_; ++i) {
        const char c = page_[i];
        bad |= static_cast<unsigned>(c == '\r') | (c == '\n') | (c == '\0');
    }
    return bad == 0;
}

std::size_t HttpHeaders::find(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        const Entry one = entry(i);
        if (one.name == name.size() && iequals({page_.get() + one.at, one.name}, name)) return i;
    }
    return npos;
}

std::optional<std::string_view> HttpHeaders::get(std::string_view name) const noexcept {
    const std::size_t index = find(name);
    if (index == npos) return std::nullopt;
    return (*this)[index].value;
}

std::string_view HttpHeaders::value(std::string_view name) const noexcept {
    return get(name).value_or(std::string_view());
}

std::string HttpHeaders::joined(std::string_view name) const {
    std::string out;
    bool first = true;
    for (Field field : *this) {
        if (!iequals(field.name, name)) continue;
        if (!first) out += ", ";
        out += field.value;
        first = false;
    }
    return out;
}

}  // namespace hfhub
