#pragma once

// Downloads, as the rest of the library starts them.

#include "hub/client.hpp"
#include "hub/download_plan.hpp"
#include "hub/download_request.hpp"
#include "hub/transfer.hpp"

#include <hfhub/hub/download.hpp>

#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace hfhub::hub {

/// What the Hub says about a wanted file.
struct FileDescription {
    std::string commit_hash;
    std::string etag;
    std::optional<std::uint64_t> size;
    FileSource source;
};

/// One file that is wanted. Names have passed validate_request.
struct FileRequest : DownloadRequest {
    std::string filename{};
    std::optional<std::uint64_t> size{};  ///< Where it is known: a cached file of another length is not the wanted one.
    std::optional<FileDescription> known{};  ///< What a listing said of it: then the Hub is not asked.

    /// "config.json of org/model (revision main)", for people.
    std::string description() const;
};

struct LocalFile {
    std::filesystem::path path;
    std::optional<DryRunFileInfo> dry_run;  ///< Instead of the file, where that was asked for.
};

/// Throws HfValidationError or InvalidArgumentError for names that cannot be paths or addresses.
void validate_request(const FileRequest& request);

/// Fetches the file where that is needed; as hf_hub_download.
awaitable<LocalFile> download_file(Client client, FileRequest request);

// The parts of it.

/// The Hub's word, or why there is none. Failures that nothing can stand in for are thrown.
struct HubAnswer {
    std::optional<FileDescription> file;
    std::exception_ptr failure;
    Unavailable why = Unavailable::otherwise;
};
using SharedRequest = std::shared_ptr<const FileRequest>;
/// `patient`: with a long time limit and retries, where there is nothing to fall back to.
awaitable<HubAnswer> ask_hub(Client client, SharedRequest request, bool patient);

/// Whether the Hub could not be reached a moment ago.
bool hub_seems_down(const Client& client);

/// After `answer` has failed: whether the Hub is to be asked again, patiently. Returns nothing where the local file is
/// to be used; throws what the caller is told where there is none.
awaitable<std::optional<FileDescription>> after_failure(Client client, SharedRequest request, HubAnswer answer,
                                                        bool have_local);

TransferRequest transfer_of(const Client& client, const SharedRequest& request, const FileDescription& file);
PartContent part_content(const FileRequest& request, const FileDescription& file);

awaitable<LocalFile> download_to_cache(Client client, SharedRequest request);
awaitable<LocalFile> download_to_folder(Client client, SharedRequest request);

}  // namespace hfhub::hub
