#pragma once

#include <span>
#include <string>
#include <vector>

namespace hfhub::cli {

/// Whether the argument may stand for several files: a pattern, or a folder that ends in '/'.
bool is_pattern(const std::string& name);

struct FileChoice {
    std::vector<std::string> files;      ///< In the repository's order.
    std::vector<std::string> unmatched;  ///< Names that no file fits.
};

/// The files of a repository that a command line means: those that `names` are or fit; without names those that an
/// include pattern fits, all where there is none, less those that an exclude pattern fits. A name that a file has is
/// no pattern.
FileChoice choose_files(std::span<const std::string> files, const std::vector<std::string>& names,
                        const std::vector<std::string>& include, const std::vector<std::string>& exclude);

}  // namespace hfhub::cli
