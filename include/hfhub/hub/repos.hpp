#pragma once

// Repositories: what they are, and making them. A repository is named "namespace/name".

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/repo_info.hpp>
#include <hfhub/hub/repo_url.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace hfhub {

struct ModelInfoOptions {
    std::string_view revision{};           ///< Branch, tag or commit; empty: the default branch.
    std::chrono::milliseconds timeout{0};  ///< For the whole call; 0: that of the object.
    bool securityStatus = false;           ///< Asks for security_repo_status.
    bool files_metadata = false;           ///< Asks for sizes and hashes of the files.
    StringList expand{};                   ///< Only these fields, by their names on the wire; excludes the two above.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ModelInfoOptions>);
BOOST_DESCRIBE_STRUCT(ModelInfoOptions, (), (revision, timeout, securityStatus, files_metadata, expand, token))

/// For datasets and Spaces.
struct RepoDetailsOptions {
    std::string_view revision{};           ///< Branch, tag or commit; empty: the default branch.
    std::chrono::milliseconds timeout{0};  ///< For the whole call; 0: that of the object.
    bool files_metadata = false;           ///< Asks for sizes and hashes of the files.
    StringList expand{};                   ///< Only these fields, by their names on the wire; excludes files_metadata.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<RepoDetailsOptions>);
BOOST_DESCRIBE_STRUCT(RepoDetailsOptions, (), (revision, timeout, files_metadata, expand, token))

struct KernelInfoOptions {
    std::string_view revision{};           ///< Branch, tag or commit; empty: the default branch.
    std::chrono::milliseconds timeout{0};  ///< For the whole call; 0: that of the object.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<KernelInfoOptions>);
BOOST_DESCRIBE_STRUCT(KernelInfoOptions, (), (revision, timeout, token))

struct RepoInfoOptions {
    std::string_view revision{};           ///< Branch, tag or commit; empty: the default branch.
    std::string_view repo_type{};          ///< "model" (also where empty), "dataset", "space" or "kernel".
    std::chrono::milliseconds timeout{0};  ///< For the whole call; 0: that of the object.
    bool files_metadata = false;           ///< Asks for sizes and hashes of the files; not for kernels.
    StringList expand{};                   ///< Only these fields, by their names on the wire; not for kernels.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<RepoInfoOptions>);
BOOST_DESCRIBE_STRUCT(RepoInfoOptions, (), (revision, repo_type, timeout, files_metadata, expand, token))

struct FileExistsOptions {
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset", "space" or "kernel".
    std::string_view revision{};   ///< Branch, tag or commit; empty: "main".
    Token token{};
};
static_assert(std::is_trivially_destructible_v<FileExistsOptions>);
BOOST_DESCRIBE_STRUCT(FileExistsOptions, (), (repo_type, revision, token))

struct CreateRepoOptions {
    Token token{};
    std::optional<bool> private_{};        ///< Where empty, the namespace's default; excludes visibility.
    std::string_view visibility{};         ///< "public", "private" or, for Spaces, "protected".
    std::string_view repo_type{};          ///< "model" (also where empty), "dataset", "space" or "kernel".
    bool exist_ok = false;                 ///< A repository that exists already is no error.
    std::string_view resource_group_id{};  ///< Of an Enterprise organization.
    std::string_view region{};             ///< "us" or "eu".
    std::string_view space_sdk{};       ///< "gradio", "streamlit", "docker" or "static"; Spaces need it or a template.
    std::string_view space_hardware{};  ///< Such as "t4-medium".
    std::string_view space_storage{};   ///< "small", "medium" or "large".
    std::optional<std::int64_t> space_sleep_time{};  ///< Seconds without a request until the Space sleeps; -1: never.
    std::optional<std::span<const SpaceKeyValue>> space_secrets{};
    std::optional<std::span<const SpaceKeyValue>> space_variables{};
    std::span<const Volume> space_volumes{};
    std::string_view space_template{};  ///< Name or repository of a template, see list_space_templates.
};
static_assert(std::is_trivially_destructible_v<CreateRepoOptions>);
BOOST_DESCRIBE_STRUCT(CreateRepoOptions, (),
                      (token, private_, visibility, repo_type, exist_ok, resource_group_id, region, space_sdk,
                       space_hardware, space_storage, space_sleep_time, space_secrets, space_variables, space_volumes,
                       space_template))

/// All of these throw HfValidationError for a malformed repo_id, RepositoryNotFoundError where there is no such
/// repository or the token must not see it, GatedRepoError where access must be asked for, and RevisionNotFoundError.
template <class Mode>
class BasicRepos : public virtual ApiHandle {
  public:
    typename Mode::template result<ModelInfo> model_info(std::string_view repo_id, ModelInfoOptions options = {}) const;
    typename Mode::template result<DatasetInfo> dataset_info(std::string_view repo_id,
                                                             RepoDetailsOptions options = {}) const;
    typename Mode::template result<SpaceInfo> space_info(std::string_view repo_id,
                                                         RepoDetailsOptions options = {}) const;
    typename Mode::template result<KernelInfo> kernel_info(std::string_view repo_id,
                                                           KernelInfoOptions options = {}) const;
    /// One of the four above, as repo_type says.
    typename Mode::template result<RepoInfo> repo_info(std::string_view repo_id, RepoInfoOptions options = {}) const;

    /// Whether there is such a file; false also where there is no such repository or revision.
    typename Mode::template result<bool> file_exists(std::string_view repo_id, std::string_view filename,
                                                     FileExistsOptions options = {}) const;

    /// Makes an empty repository; without a namespace it is the token's owner's. Where the Hub is busy with another
    /// change of that owner, it is asked again for up to a minute.
    typename Mode::template result<RepoUrl> create_repo(std::string_view repo_id, CreateRepoOptions options = {}) const;
};

extern template class BasicRepos<Blocking>;
extern template class BasicRepos<Awaiting>;

}  // namespace hfhub
