#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hfhub::cli {

/// In which form results are printed.
enum class Format { human, json, quiet };

/// Results go to standard output and nothing else does; hints and errors go to standard error.
class Output {
  public:
    Format format = Format::human;
    using Fields = std::vector<std::pair<std::string, std::string>>;

    /// One result with its fields; the quiet form is the value of `id`.
    void result(std::string_view title, const Fields& fields, std::string_view id) const;
    /// One line that explains what follows; for people only.
    void note(std::string_view text) const;
    /// One line, in every form the same but quoted for JSON under `name`.
    void line(std::string_view name, std::string_view text) const;
    /// Aligned columns, an array of objects, or the first column.
    void table(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows) const;
};

/// "1.2G", as sizes are shown to people.
std::string human_size(double bytes);

}  // namespace hfhub::cli
