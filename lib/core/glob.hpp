#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub {

/// A pattern of Python's fnmatch.fnmatchcase: `*` any characters including '/', `?` one character, `[seq]` one of
/// these,
/// `[!seq]` one other, `[a-z]` a range; `[` without `]` stands for itself. Characters are those of UTF-8; a byte that
/// is no part of one counts as a character. Matching takes at most time proportional to pattern times text.
class Glob {
  public:
    explicit Glob(std::string_view pattern);
    bool matches(std::string_view text) const;

  private:
    struct Range {
        char32_t first, last;
    };
    struct Token {
        enum Kind : unsigned char { literal, any, star, set } kind = literal;
        char32_t character = 0;     // literal
        bool negated = false;       // set
        std::vector<Range> ranges;  // set
    };
    static bool accepts(const Token& token, char32_t character);
    static std::vector<Range> parse_ranges(std::u32string_view content);

    std::vector<Token> tokens_;
};

/// Which paths of a repository a call is about: those that an allow pattern matches, all where none were given, less
/// those that an ignore pattern matches. A pattern that ends with '/' means all below that folder; '\' counts as '/',
/// in patterns and paths.
class PathFilter {
  public:
    /// No value of `allow` allows all, an empty list nothing.
    PathFilter(const std::optional<std::vector<std::string>>& allow, const std::vector<std::string>& ignore);
    bool accepts(std::string_view path) const;

  private:
    std::optional<std::vector<Glob>> allow_;
    std::vector<Glob> ignore_;
};

/// The paths that PathFilter accepts, in their order.
std::vector<std::string> filter_paths(std::span<const std::string> paths,
                                      const std::optional<std::vector<std::string>>& allow,
                                      const std::vector<std::string>& ignore);

}  // namespace hfhub
