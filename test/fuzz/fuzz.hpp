#pragma once

// What the fuzz targets share. Each is one file with LLVMFuzzerTestOneInput: libFuzzer calls it (scripts/fuzz), and so
// does replay.cpp with the inputs that are kept in corpus/.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace hfhub::fuzz {

/// Ends the process where a property does not hold.
inline void require(bool holds, const char* property) {
    if (holds) return;
    std::fprintf(stderr, "this does not hold: %s\n", property);
    std::abort();
}

/// An input whose first bytes choose what is done with the rest.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
    unsigned choice() {
        if (rest_.empty()) return 0;
        const auto byte = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return byte;
    }
    std::string_view rest() const noexcept { return rest_; }
    /// What stands before the next line end.
    std::string_view line() {
        const std::string_view line = rest_.substr(0, rest_.find('\n'));
        rest_.remove_prefix(line.size() < rest_.size() ? line.size() + 1 : line.size());
        return line;
    }

  private:
    std::string_view rest_;
};

/// Numbers that depend on the seed alone.
class Sequence {
  public:
    explicit Sequence(std::uint32_t seed) : state_(seed * 2654435761U + 1) {}
    std::uint32_t next(std::uint32_t below) {
        state_ = state_ * 1664525U + 1013904223U;
        return (state_ >> 8) % below;
    }

  private:
    std::uint32_t state_;
};

/// The text in pieces: whole for 0, single bytes for 1, else of sizes that the number decides.
inline std::vector<std::string_view> pieces(std::string_view text, unsigned how) {
    if (how == 0) return {text};
    Sequence sequence(how);
    const std::uint32_t most = how == 1 ? 1 : 2U << (how % 8);
    std::vector<std::string_view> out;
    while (!text.empty()) {
        out.push_back(text.substr(0, 1 + sequence.next(most)));
        text.remove_prefix(out.back().size());
    }
    return out;
}

inline bool has_control(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
    }
    return false;
}

}  // namespace hfhub::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
