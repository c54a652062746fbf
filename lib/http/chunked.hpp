#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hfhub::http {

/// The chunked transfer coding (RFC 9112 7.1), undone as the bytes come. No I/O.
///
/// Strict: a size is hexadecimal digits that fit into 64 bits, every line ends with CRLF, no line has control
/// characters. Extensions are skipped, and so are trailer fields: nothing that follows a body changes what its head
/// said.
class ChunkedDecoder {
  public:
    struct Progress {
        std::size_t taken = 0;    ///< Bytes of `in` that are done with.
        std::size_t written = 0;  ///< Body bytes put into `out`.
    };
    /// Takes all of `in`, as far as `out` has room and the body goes. Throws ProtocolError.
    Progress read(std::span<const std::byte> in, std::span<std::byte> out);
    /// The last chunk and the trailers have come.
    bool done() const noexcept { return state_ == State::done; }

  private:
    enum class State : std::uint8_t {
        size,    // digits
        blanks,  // after the size: an extension must follow
        extension,
        size_end,  // the LF of a size's line
        data,
        data_cr,
        data_lf,
        line,  // of the trailers: its first character
        field_name,
        field_value,
        field_end,  // its LF
        end,        // the LF of the empty line
        done,
    };
    void take(char c);
    void take_size(char c);
    void take_trailer(char c);
    void begin_chunk();

    State state_ = State::size;
    bool has_digit_ = false;
    std::uint64_t left_ = 0;    // of this chunk
    std::size_t overhead_ = 0;  // bytes of lines that were not made up for by data
    std::size_t trailer_bytes_ = 0;
};

}  // namespace hfhub::http
