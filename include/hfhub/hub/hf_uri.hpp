#pragma once

// Addresses of repositories, buckets and what is in them: hf://datasets/org/name@revision/folder/file
// (https://huggingface.co/docs/huggingface_hub/guides/hf_file_system).

#include <hfhub/error.hpp>

#include <boost/describe/class.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// An address cannot be read; the text says why.
class HfUriError : public InvalidArgumentError {
  public:
    using InvalidArgumentError::InvalidArgumentError;
    std::string_view type() const noexcept override { return "HfUriError"; }
};

struct HfUri {
    std::string type = "model";           ///< "model", "dataset", "space", "kernel" or "bucket".
    std::string id;                       ///< "namespace/name".
    std::optional<std::string> revision;  ///< Decoded: "refs/pr/10", "feature/x"; never of a bucket.
    std::string path_in_repo;             ///< Without '/' at its ends; empty: the repository itself.

    /// The canonical address, always with its type. Throws HfUriError where the members make none.
    std::string to_uri() const;
    /// The page of it on the web; `endpoint` is where the Hub is. Throws HfUriError where the members make none.
    std::string to_url(std::string_view endpoint = "https://huggingface.co") const;

    bool operator==(const HfUri&) const = default;
};
BOOST_DESCRIBE_STRUCT(HfUri, (), (type, id, revision, path_in_repo))

/// Reads hf://[TYPE/]ID[@REVISION][/PATH], where a '/' in a revision is "%2F" or part of refs/pr/N or
/// refs/convert/NAME, and addresses of the Hub's web pages, also below `endpoint`. Throws HfUriError.
HfUri parse_hf_uri(std::string_view uri, std::string_view endpoint = {});

/// Where something of the Hub appears among the files of a job or Space.
struct HfMount {
    HfUri source;
    std::string mount_path;         ///< Absolute.
    std::optional<bool> read_only;  ///< Where it was said.
};
BOOST_DESCRIBE_STRUCT(HfMount, (), (source, mount_path, read_only))

/// Reads hf://…:/MOUNT_PATH[:ro|:rw]. Throws HfUriError.
HfMount parse_hf_mount(std::string_view text);

}  // namespace hfhub
