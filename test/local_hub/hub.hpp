#pragma once

#include "contents.hpp"
#include "faults.hpp"
#include "message.hpp"
#include "repositories.hpp"
#include "statistics.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::local_hub {

struct Settings {
    std::filesystem::path directory;
    std::uint16_t storage_port = 0;
    std::uint64_t multipart_threshold = 20'000'000;  ///< Larger uploads go in parts.
    std::uint64_t chunk_size = 10'000'000;
    std::uint64_t lfs_threshold = 10 * 1024 * 1024;  ///< Larger files are LFS whatever their name.
    std::size_t page_size = 1000;
    std::int64_t url_lifetime = 3600;  ///< Seconds.
};

/// Who a token belongs to: hf_NAME, hf_NAME_anything; hf_NAME_read may not write. Everybody is a member of acme.
struct Account {
    std::string name;
    bool can_write = true;
    bool is_member(std::string_view owner) const { return owner == name || owner == "acme"; }
};

/// Answers for both sites.
class Hub final : public Service {
  public:
    Hub(Settings settings, Statistics& statistics);
    std::unique_ptr<BodySink> sink_for(const Request& request) override;
    bool refuses_early(const Request& request) override;
    Response respond(Request& request, std::unique_ptr<BodySink> sink) override;

    void set_storage_port(std::uint16_t port) { settings.storage_port = port; }

    /// A URL on the storage host that is good for that method until it expires.
    std::string signed_url(const Request& request, std::string_view method, std::string_view path) const;
    /// The same for a path on the Hub's own host.
    std::string signed_hub_url(const Request& request, std::string_view method, std::string_view path) const;
    /// Throws HubError 403 unless the query carries a valid signature.
    void check_signature(const Request& request) const;

    Settings settings;
    Statistics& statistics;
    Contents contents;
    Faults faults;
    Repositories repositories;  ///< Under `mutex`.
    std::mutex mutex;

  private:
    Response answer(Request& request, std::unique_ptr<BodySink> sink);
    Response answer_hub(Request& request);
    std::string signed_query(std::string_view method, std::string_view path) const;

    std::string secret_;
};

/// A request to one repository, or to the Hub as a whole, with what the router found out about it.
struct Call {
    Hub& hub;
    Request& request;
    std::optional<Account> account;
    std::vector<std::string> rest;  ///< Path segments behind the repository's id, decoded.
    RepoType type = RepoType::model;
    std::string repo_id;
    Repository* repository = nullptr;

    /// Account of a request that needs one; throws HubError 401.
    const Account& signed_in() const;
    /// Throws HubError unless the account may write to the repository.
    void require_write() const;
    /// The decoded JSON object of the body; throws HubError 400.
    boost::json::object json() const;
    /// "/datasets/alice/d" below the request's own origin.
    std::string repo_url() const;
    /// Path segments from `from` on, joined by slashes.
    std::string rest_path(std::size_t from) const;
};

/// Understands Authorization; throws HubError 401 for a token that cannot be one.
std::optional<Account> account_of(const Request& request);
/// Finds the repository of a call; throws HubError where it is missing, moved or hidden.
void find_repository(Call& call, bool hide_private = true);
/// Throws GatedRepo unless the account has access.
void require_access(const Call& call);
void set_repository(Call& call, std::string_view id);

/// {"name": …} of a body; throws HubError 400 where the member is missing or no string.
std::string string_member(const boost::json::object& object, std::string_view name);
std::string string_member_or(const boost::json::object& object, std::string_view name, std::string_view other);

/// Slices by ?cursor= and ?limit=, and says in Link where the next page is.
Response page_of(const Call& call, boost::json::array items, std::size_t default_limit);
Response json_of(const boost::json::value& value, int status = 200);

// The routes, by file.
Response api_route(Call& call, const std::vector<std::string>& path);                     // router.cpp
Response whoami(Call& call);                                                              // accounts.cpp
Response repos_route(Call& call, const std::vector<std::string>& path);                   // repository_routes.cpp
Response settings_route(Call& call);                                                      // repository_routes.cpp
Response branch_route(Call& call);                                                        // repository_routes.cpp
Response tag_route(Call& call);                                                           // repository_routes.cpp
Response super_squash(Call& call);                                                        // repository_routes.cpp
Response duplicate(Call& call);                                                           // repository_routes.cpp
Response list_repositories(Call& call);                                                   // listing.cpp
Response repository_info(Call& call);                                                     // listing.cpp
Response refs(Call& call);                                                                // listing.cpp
Response commit_history(Call& call);                                                      // listing.cpp
Response tree(Call& call);                                                                // tree_listing.cpp
Response paths_info(Call& call);                                                          // tree_listing.cpp
Response preupload(Call& call);                                                           // commits.cpp
Response commit(Call& call);                                                              // commits.cpp
Response validate_yaml(Call& call);                                                       // commits.cpp
Response discussions_route(Call& call);                                                   // discussions.cpp
Discussion& open_discussion(Call& call, const std::string& title, bool is_pull_request);  // discussions.cpp
Response lfs_route(Call& call, std::string_view action);                                  // lfs.cpp
Response complete_multipart(Call& call);                                                  // lfs.cpp
Response lfs_files_route(Call& call);                                                     // lfs.cpp
Response storage_route(Hub& hub, Request& request, std::unique_ptr<BodySink> sink);       // storage.cpp
std::unique_ptr<BodySink> storage_sink(Hub& hub, const Request& request);                 // storage.cpp
Response resolve(Call& call, const std::string& revision, const std::string& path);       // resolve.cpp
Response chat_completion(Hub& hub, const Request& request);                               // chat.cpp
/// 200, 206, 304 or 416 by Range, If-Range and If-None-Match; exactly one of file and text is given.
Response serve_range(const Request& request, std::string_view etag, std::uint64_t size,
                     std::shared_ptr<const OpenFile> file, std::shared_ptr<const std::string> text);  // resolve.cpp

}  // namespace hfhub::local_hub
