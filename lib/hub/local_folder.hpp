#pragma once

// A folder into which files are downloaded under their own names (local_dir), and what is remembered about them below
// .cache/huggingface/download. Paths are computed without I/O; the rest blocks and belongs on a worker.

#include "core/path_beneath.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// Which version of a file was put there, and when.
struct LocalMetadata {
    std::string commit_hash;
    std::string etag;
    double timestamp = 0;  ///< Seconds since 1970.
};

/// The three lines of a metadata file; nothing where they are no such lines. No I/O.
std::optional<LocalMetadata> parse_local_metadata(std::string_view text);
std::string format_local_metadata(const LocalMetadata& metadata);

/// Paths of one file. The name must have passed validate_filename.
struct LocalPaths {
    LocalPaths(const std::filesystem::path& local_dir, std::string_view filename);

    std::filesystem::path root;  ///< local_dir, which changes to the following do not leave.
    PathBeneath file;            ///< Where the file goes.
    PathBeneath metadata;        ///< What is remembered about it.
    PathBeneath lock;

    /// Beginning of the names of temporary files, beside the metadata.
    std::string part_stem(std::string_view etag) const;
    PathBeneath part_folder() const { return metadata.parent_path(); }
};

/// Makes the folders. Throws FileError, and IoError where a link inside local_dir would lead the file, or what is
/// remembered about it, out of it.
void prepare_local_folder(const LocalPaths& paths);

bool local_file_exists(const LocalPaths& paths) noexcept;

/// Nothing where nothing is remembered, or where the file was changed since. Damage counts as nothing, and stays: it
/// may be Python in the middle of its writing.
std::optional<LocalMetadata> read_local_metadata(const LocalPaths& paths) noexcept;
/// To be called before the file is replaced, lest what is remembered of it is taken for the new one's.
void forget_local_metadata(const LocalPaths& paths) noexcept;
/// Remembers, with the present time. Throws FileError.
void write_local_metadata(const LocalPaths& paths, std::string_view commit_hash, std::string_view etag);

}  // namespace hfhub::hub
