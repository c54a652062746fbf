#pragma once

// Changes inside a folder whose content others may change meanwhile: no link in it leads out, whenever it was planted.
// Every call looks the folders up anew, from the outermost on, and then works by the descriptor that it got.

#include <concepts>
#include <filesystem>
#include <string>
#include <type_traits>
#include <utility>

namespace hfhub {

/// The path of a file or folder, and the folder that changes to it must not leave. Made of a path alone it may lead
/// anywhere.
class PathBeneath {
  public:
    PathBeneath() = default;
    template <std::convertible_to<std::filesystem::path> Path>
        requires(!std::same_as<std::remove_cvref_t<Path>, PathBeneath>)
    PathBeneath(Path&& path) : path_(std::forward<Path>(path)) {}
    /// `path` begins with `root`. Links on the way to `root` are followed.
    PathBeneath(std::filesystem::path root, std::filesystem::path path)
        : root_(std::move(root)), path_(std::move(path)) {}

    const std::filesystem::path& path() const noexcept { return path_; }
    const std::filesystem::path& root() const noexcept { return root_; }
    bool empty() const noexcept { return path_.empty(); }
    bool is_bounded() const noexcept { return !root_.empty(); }

    PathBeneath parent_path() const { return {root_, path_.parent_path()}; }
    PathBeneath operator/(const std::filesystem::path& name) const { return {root_, path_ / name}; }
    PathBeneath with_filename(const std::filesystem::path& name) const { return {root_, path_.parent_path() / name}; }

  private:
    std::filesystem::path root_, path_;
};

/// An open folder and a name in it, as openat(2) and its like take them.
class NameInFolder {
  public:
    /// Throws IoError where a link leads out of the root, FileError where the folder is not there or not to be entered.
    explicit NameInFolder(const PathBeneath& place);
    NameInFolder(const NameInFolder&) = delete;
    NameInFolder& operator=(const NameInFolder&) = delete;
    ~NameInFolder();

    int folder() const noexcept { return folder_; }
    const char* name() const noexcept { return name_.c_str(); }

  private:
    int folder_;
    std::string name_;
};

/// Opens a folder below another without leaving that; below 0, with errno, where there is none: EXDEV or ELOOP where
/// that is due to a link. By the kernel, which follows relative links that stay inside.
int open_folder_beneath(int folder, const std::filesystem::path& relative) noexcept;
/// As open_folder_beneath, for systems without openat2(2): follows no link at all.
int open_folder_by_steps(int folder, const std::filesystem::path& relative) noexcept;

/// Creates the folder and those above it; no error where it is there. Throws FileError, IoError.
void make_directories(const PathBeneath& place);
/// Deletes a file; no error where that fails.
void remove_file(const PathBeneath& place) noexcept;

}  // namespace hfhub
