// Names as a server may give them: what is accepted stays inside its folder, on paper and on the disk.

#include "fuzz.hpp"
#include "hub/cache_layout.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <filesystem>
#include <string_view>

namespace {

namespace fs = std::filesystem;
using namespace hfhub::hub;
using namespace hfhub::fuzz;

bool accepted(void (*validate)(std::string_view), std::string_view name) {
    try {
        validate(name);
        return true;
    } catch (const hfhub::HfValidationError&) {
        return false;
    }
}

/// Whether `path` is below `folder`, and not the folder itself.
bool is_inside(const fs::path& path, const fs::path& folder) {
    const fs::path relative = path.lexically_relative(folder);
    return !relative.empty() && relative != "." && *relative.begin() != "..";
}

void check(std::string_view name, const fs::path& folder) {
    const fs::path plain = folder / name;
    require(is_inside(plain, folder), "a path is below its folder");
    require(is_inside(plain.lexically_normal(), folder), "also in its normal form");
    require(plain == plain.lexically_normal(), "which is the one it has");
    // There are no links: what the system makes of the path is what it says.
    std::error_code error;
    const fs::path real = fs::weakly_canonical(plain, error);
    if (!error) require(is_inside(real, folder), "the system finds it there");
    require(!has_control(name), "a name has no control characters");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fs::path folder = "/nonexistent/hfhub-fuzz";
    const std::string_view name(reinterpret_cast<const char*>(data), size);
    if (accepted(validate_filename, name)) check(name, folder);
    if (accepted(validate_local_filename, name)) {
        check(name, folder);
        require(!is_inside((folder / name).lexically_normal(), folder / ".cache/huggingface"),
                "what is remembered of files is no file");
    }
    if (accepted(validate_revision, name)) check(name, folder / "refs");
    if (is_path_token(name)) check(name, folder);
    if (accepted(validate_repo_id, name)) check(repo_folder_name("model", name), folder);
    return 0;
}
