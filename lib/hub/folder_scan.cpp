#include "hub/folder_scan.hpp"

#include "core/glob.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "hub/upload_plan.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <filesystem>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

struct Found {
    std::string path;
    std::uint64_t size = 0;
};

// As paths compare part by part: what is in a folder comes before a name that merely begins like the folder's.
bool comes_before(const Found& a, const Found& b) {
    const auto rank = [](char c) { return c == '/' ? 0 : static_cast<int>(static_cast<unsigned char>(c)); };
    return std::lexicographical_compare(a.path.begin(), a.path.end(), b.path.begin(), b.path.end(),
                                        [&](char x, char y) { return rank(x) < rank(y); });
}

// The size of a regular file, or of one that a link leads to.
std::optional<std::uint64_t> size_of(const fs::directory_entry& entry) {
    std::error_code error;
    if (!entry.is_regular_file(error)) {
        if (entry.is_symlink() && !entry.is_directory(error))
            log(LogLevel::warning, entry.path().string() + " leads nowhere and is not uploaded");
        return std::nullopt;
    }
    return entry.file_size();
}

std::vector<Found> find_files(const fs::path& folder) {
    std::vector<Found> files;
    const std::size_t skipped = folder.native().size() + 1;
    for (auto at = fs::recursive_directory_iterator(folder); at != fs::recursive_directory_iterator(); ++at) {
        std::string path = at->path().native().substr(skipped);
        if (is_never_uploaded(path)) {
            if (at->is_directory() && !at->is_symlink()) at.disable_recursion_pending();
            continue;
        }
        if (const auto size = size_of(*at)) files.push_back({std::move(path), *size});
    }
    std::sort(files.begin(), files.end(), comes_before);
    return files;
}

}  // namespace

FolderScan scan_folder(const FolderChoice& choice) {
    const fs::path folder = fs::path(choice.folder) / "";
    std::error_code error;
    if (!fs::is_directory(folder, error))
        throw InvalidArgumentError("'" + choice.folder + "' is not a folder on this machine");
    const fs::path plain = folder.parent_path();
    const PathFilter filter(choice.allow, choice.ignore);
    FolderScan scan;
    try {
        for (Found& found : find_files(plain)) {
            if (!filter.accepts(found.path)) continue;
            const std::string file = (plain / found.path).string();
            if (!is_utf8(found.path))
                throw InvalidArgumentError("the name of '" + printable(file) + "' is not UTF-8; rename or ignore it");
            scan.files.push_back(Addition{.path = checked_path_in_repo(choice.prefix + found.path),
                                          .content = Content(UploadSource(file))});
            scan.sizes.push_back(found.size);
        }
    } catch (const fs::filesystem_error& failure) {
        throw IoError("cannot look through " + choice.folder + ": " + failure.code().message() + " at " +
                      failure.path1().string());
    }
    return scan;
}

}  // namespace hfhub::hub
