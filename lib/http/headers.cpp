#include "http/headers.hpp"

#include <algorithm>

namespace hfhub {

namespace {
// What most requests and answers need, in one allocation each.
constexpr std::size_t usual_bytes = 384;
constexpr std::size_t usual_fields = 12;

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
}  // namespace

bool iequals(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

HttpHeaders::HttpHeaders(std::initializer_list<Field> fields) {
    for (const Field& field : fields) add(field.name, field.value);
}

void HttpHeaders::add(std::string_view name, std::string_view value) {
    const auto own = [&](std::string_view text) {
        return text.data() >= bytes_.data() && text.data() < bytes_.data() + bytes_.size();
    };
    if (own(name) || own(value)) return add(std::string(name), std::string(value));
    if (entries_.capacity() == 0) {
        bytes_.reserve(usual_bytes);
        entries_.reserve(usual_fields);
    }
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(name).append(value);
    const auto stored = bytes_.begin() + at;
    std::transform(stored, stored + static_cast<std::ptrdiff_t>(name.size()), stored, lower);
    entries_.push_back({at, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
}

void HttpHeaders::set(std::string_view name, std::string_view value) {
    const std::string own_name(name), own_value(value);  // they may be views of what is erased
    erase(own_name);
    add(own_name, own_value);
}

void HttpHeaders::erase(std::string_view name) {
    std::erase_if(entries_, [&](const Entry& entry) {
        return iequals(std::string_view(bytes_).substr(entry.at, entry.name), name);
    });
}

void HttpHeaders::clear() noexcept {
    bytes_.clear();
    entries_.clear();
}

HttpHeaders::Field HttpHeaders::operator[](std::size_t index) const noexcept {
    const Entry& entry = entries_[index];
    const char* const at = bytes_.data() + entry.at;
    return {{at, entry.name}, {at + entry.name, entry.value}};
}

bool HttpHeaders::are_safe() const noexcept {
    // All bytes at once and without a way out in the middle: that is what compilers turn into a few vector
    // instructions.
    unsigned bad = 0;
    for (const char c : bytes_) bad |= static_cast<unsigned>(c == '\r') | (c == '\n') | (c == '\0');
    if (bad != 0) return false;
    return std::all_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        unsigned odd = entry.name == 0;
        for (std::uint32_t i = 0; i < entry.name; ++i) {
            const char c = bytes_[entry.at + i];
            odd |= static_cast<unsigned>(static_cast<unsigned char>(c) <= ' ') | (c == ':') | (c == 127);
        }
        return odd == 0;
    });
}

std::size_t HttpHeaders::find(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].name == name.size() && iequals((*this)[i].name, name)) return i;
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
