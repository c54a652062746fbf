#pragma once

#include "http/workers.hpp"
#include "hub/content.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// The body of a commit: one JSON value per line, contents in base64 and read while it is sent.
class CommitBody final : public http::BodySource {
  public:
    explicit CommitBody(http::CallWorkers workers) : workers_(workers) {}

    /// A complete line, with its end.
    void add_line(std::string_view line);
    /// The line of a file with its content.
    void add_file(std::string_view path, Content content, std::uint64_t size);

    std::optional<std::uint64_t> size() const override;
    awaitable<std::size_t> read_some(std::span<std::byte> buffer) override;
    bool rewind() override;

  private:
    struct Piece {
        std::string text;  // comes before the content
        std::optional<Content> content{};
        std::uint64_t size = 0;
    };
    std::string& last_text();
    awaitable<void> encode_next(const Piece& piece);

    http::CallWorkers workers_;
    std::vector<Piece> pieces_;
    std::size_t piece_ = 0;
    bool text_done_ = false;
    std::shared_ptr<http::BodySource> source_;  // of the present piece's content
    std::string ready_;                         // encoded or text, from ready_at_ on not yet taken
    std::size_t ready_at_ = 0;
};

}  // namespace hfhub::hub
