#include "core/log.hpp"
#include "http/redirect.hpp"
#include "http/session.hpp"
#include "hub/cache_layout.hpp"
#include "hub/download.hpp"
#include "hub/file_metadata.hpp"
#include "hub/outages.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>
#include <hfhub/result.hpp>

namespace hfhub::hub {

namespace {

using namespace std::chrono_literals;

constexpr auto patient_timeout = 60s;
constexpr http::Milliseconds first_descriptor_wait{50}, longest_descriptor_wait{1000};
constexpr auto longest_without_descriptors = 60s;

std::string url_of(const Client& client, const FileRequest& request) {
    return client.endpoint() + resolve_path(request.repo_type, request.repo_id, request.revision, request.filename);
}

/// The size, unless the Hub says nothing by a length of 0.
std::optional<std::uint64_t> believed_size(const HfFileMetadata& metadata) {
    const bool hashed = is_git_sha1(*metadata.etag) || is_sha256(*metadata.etag);
    const bool empty = *metadata.etag == git_sha1_of_nothing || *metadata.etag == sha256_of_nothing;
    if (metadata.size == 0 && hashed && !empty) return std::nullopt;
    return metadata.size;
}

/// Throws FileMetadataError for what is no URL.
Url location_of(const HfFileMetadata& metadata, const std::string& asked) {
    try {
        return Url::parse(metadata.location);
    } catch (const InvalidArgumentError& error) {
        throw FileMetadataError("the answer for " + asked +
                                " says that the file is where nothing can be fetched: " + error.what());
    }
}

FileDescription describe(HfFileMetadata metadata, const std::string& url) {
    const std::string asked = Url::parse(url).redacted();
    if (!metadata.commit_hash || !is_path_token(*metadata.commit_hash)) {
        throw FileMetadataError(
            "the answer for " + asked +
            " names no commit, so it does not come from a Hub; check HF_ENDPOINT, proxies and firewalls");
    }
    if (!metadata.etag || !is_path_token(*metadata.etag)) {
        throw FileMetadataError("the answer for " + asked +
                                " has no usable ETag, so the file cannot be told from others");
    }
    FileDescription file;
    file.size = believed_size(metadata);
    file.commit_hash = std::move(*metadata.commit_hash);
    file.etag = std::move(*metadata.etag);
    file.source.url = url;
    // A file in Xet storage has another address for each reader, which the Hub gives anew.
    if (!metadata.xet_file_data && metadata.location != url) {
        file.source.on_hub = http::may_send_credentials(Url::parse(url), location_of(metadata, asked));
        file.source.url = std::move(metadata.location);
    }
    return file;
}

awaitable<FileDescription> describe_file(Client client, SharedRequest request, bool patient) {
    const std::string url = url_of(client, *request);
    MetadataRequest asked{url, request->token, request->etag_timeout, patient};
    if (patient) asked.timeout = patient_timeout;
    HfFileMetadata metadata = co_await file_metadata(client, std::move(asked));
    co_return describe(std::move(metadata), url);
}

HubAnswer failed(Unavailable why, std::exception_ptr failure) {
    HubAnswer answer;
    answer.why = why;
    answer.failure = std::move(failure);
    return answer;
}

awaitable<FileSource> source_again(Client client, SharedRequest request, std::string etag) {
    FileDescription file = co_await describe_file(client, request, true);
    if (file.etag != etag) throw ContentChanged(request->description() + " has changed while it was fetched");
    co_return std::move(file.source);
}

}  // namespace

std::string FileRequest::description() const {
    std::string text = "'" + filename + "' of " + repo_id;
    if (repo_type != "model") text += " (" + repo_type + ")";
    return text + " at " + revision;
}

void validate_request(const FileRequest& request) {
    (void)resolve_path(request.repo_type, request.repo_id, request.revision, request.filename);
    if (request.local_dir.empty()) {
        validate_filename(request.filename);
    } else {
        validate_local_filename(request.filename);
    }
    validate_revision(request.revision);
}

bool hub_seems_down(const Client& client) { return Outages::global().is_down(client.state(), client.endpoint()); }

awaitable<HubAnswer> ask_hub(Client client, SharedRequest request, bool patient) {
    if (request->local_files_only) {
        co_return failed(Unavailable::local_only, nullptr);
    }
    HubAnswer answer;
    if (request->known) {
        answer.file = request->known;
        co_return answer;
    }
    try {
        answer.file = co_await describe_file(client, request, patient);
        Outages::global().forget(client.state(), client.endpoint());
        co_return answer;
    } catch (...) {
        answer.failure = std::current_exception();
    }
    const bool late = http::Clock::now() >= client.deadline();
    const auto why = classify(answer.failure);
    if (!why || late) std::rethrow_exception(answer.failure);
    const bool hurried = !patient && request->etag_timeout < client.environment().etag_timeout;
    if (is_outage(answer.failure, hurried)) Outages::global().remember(client.state(), client.endpoint());
    answer.why = *why;
    co_return answer;
}

awaitable<std::optional<FileDescription>> after_failure(Client client, SharedRequest request, HubAnswer answer,
                                                        bool have_local) {
    for (bool asked_again = false; !answer.file; asked_again = true) {
        switch (fallback(answer.why, have_local, request->force_download, asked_again)) {
            case Fallback::use_local:
                if (!request->local_files_only) {
                    log(LogLevel::info, "the Hub could not be asked for " + request->description() +
                                            "; what is on this machine is used (" + message_of(answer.failure) + ")");
                }
                co_return std::nullopt;
            case Fallback::fail:
                throw_unavailable(answer.why, answer.failure, request->force_download, request->description());
            case Fallback::ask_again:
                answer = co_await ask_hub(client, request, true);
        }
    }
    co_return std::move(answer.file);
}

TransferRequest transfer_of(const Client& client, const SharedRequest& request, const FileDescription& file) {
    TransferRequest transfer;
    transfer.source = file.source;
    transfer.token = request->token;
    transfer.name = request->filename;
    transfer.progress = request->progress;
    transfer.refresh = [client, request, etag = file.etag] { return source_again(client, request, etag); };
    return transfer;
}

PartContent part_content(const FileRequest& request, const FileDescription& file) {
    return {file.etag, file.size, request.verify_hash, request.check_disk_space};
}

namespace {

bool is_lack_of_descriptors(const FileError& error) noexcept {
    return error.code == std::errc::too_many_files_open || error.code == std::errc::too_many_files_open_in_system;
}

/// Other downloads, and whatever else has files open, may give some back.
class DescriptorWait {
  public:
    explicit DescriptorWait(const Client& client) : client_(client) {}

    /// To be asked first; false where it has lasted too long.
    bool may_go_on() const { return http::Clock::now() < std::min(end_, client_.deadline()); }
    awaitable<void> pause() {
        http::Event event(client_.waits());
        const http::Wake wake = co_await event.wait(std::min(http::Clock::now() + next_, client_.deadline()));
        if (wake == http::Wake::cancelled) throw CancelledError();
        next_ = std::min(next_ * 2, longest_descriptor_wait);
    }

  private:
    Client client_;
    http::Milliseconds next_ = first_descriptor_wait;
    http::Clock::time_point end_ = http::Clock::now() + longest_without_descriptors;
};

}  // namespace

awaitable<LocalFile> download_file(Client client, FileRequest request) {
    validate_request(request);
    const Environment& environment = client.environment();
    if (request.cache_dir.empty()) request.cache_dir = environment.hub_cache.string();
    if (environment.etag_timeout_changed) request.etag_timeout = environment.etag_timeout;
    const auto shared = std::make_shared<const FileRequest>(std::move(request));
    const auto download = shared->local_dir.empty() ? download_to_cache : download_to_folder;
    DescriptorWait wait(client);
    bool changed = false;
    for (;;) {
        bool lack = false;
        try {
            LocalFile file = co_await download(client, shared);
            co_return file;
        } catch (const ContentChanged& error) {
            if (std::exchange(changed, true)) throw;
            log(LogLevel::info, std::string(error.what()) + "; asking for the present version");
        } catch (const FileError& error) {
            if (!is_lack_of_descriptors(error) || !wait.may_go_on()) throw;
            log(LogLevel::info, std::string(error.what()) + "; waiting until files are closed");
            lack = true;
        }
        if (lack) co_await wait.pause();
    }
}

}  // namespace hfhub::hub
