#pragma once

// What the Hub says about a repository. Which fields are there depends on the call: lists say less, `expand` chooses.

#include <hfhub/datetime.hpp>
#include <hfhub/hub/spaces.hpp>
#include <hfhub/json.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace hfhub {

/// Whether access must be asked for: false, or "auto" or "manual" for how it is granted.
using Gated = std::variant<bool, std::string>;

/// A large file's place in Git LFS.
struct BlobLfsInfo {
    std::uint64_t size = 0;
    std::string sha256;
    std::optional<std::uint64_t> pointer_size;
};
BOOST_DESCRIBE_STRUCT(BlobLfsInfo, (), (size, sha256, pointer_size))

/// A file of a repository; all but the name is there only where files_metadata was asked for.
struct RepoSibling {
    std::string rfilename;  ///< Path in the repository.
    std::optional<std::uint64_t> size;
    std::optional<std::string> blob_id;  ///< Git's object id.
    std::optional<BlobLfsInfo> lfs;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(RepoSibling, (), (rfilename, size, blob_id, lfs))

/// A provider that serves a model.
struct InferenceProviderMapping {
    std::string provider;
    std::string hf_model_id;
    std::string provider_id;  ///< The model's name there.
    std::string status;       ///< "live", "staging" or "error".
    std::string task;
    std::optional<std::string> adapter, adapter_weights_path, type;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(InferenceProviderMapping, (),
                      (provider, hf_model_id, provider_id, status, task, adapter, adapter_weights_path, type))

/// A result of a model on a benchmark.
struct EvalResultEntry {
    std::string dataset_id;
    std::string task_id;
    json::value value;
    std::optional<std::string> dataset_revision, verify_token, date, source_url, source_name, source_user, source_org,
        notes;
};
BOOST_DESCRIBE_STRUCT(EvalResultEntry, (),
                      (dataset_id, task_id, value, dataset_revision, verify_token, date, source_url, source_name,
                       source_user, source_org, notes))

/// How many parameters of each type a model's safetensors files hold.
struct SafeTensorsInfo {
    std::map<std::string, std::int64_t> parameters;
    std::int64_t total = 0;
};
BOOST_DESCRIBE_STRUCT(SafeTensorsInfo, (), (parameters, total))

/// How the Transformers library loads a model.
struct TransformersInfo {
    std::string auto_model;
    std::optional<std::string> custom_class, pipeline_tag, processor;
};
BOOST_DESCRIBE_STRUCT(TransformersInfo, (), (auto_model, custom_class, pipeline_tag, processor))

struct ModelInfo {
    std::string id;  ///< "namespace/name".
    std::optional<std::string> author;
    std::optional<std::string> sha;  ///< The commit that is described.
    std::optional<Datetime> created_at, last_modified;
    std::optional<bool> private_, disabled;
    std::optional<Gated> gated;
    std::optional<std::int64_t> downloads, downloads_all_time, likes, trending_score, used_storage,
        children_model_count;
    std::optional<std::string> library_name, pipeline_tag, mask_token, inference;
    std::optional<std::vector<std::string>> tags, spaces;
    std::optional<json::object> card_data, config, gguf, resource_group, security_repo_status;
    std::optional<json::value> base_models, model_index, widget_data;
    std::optional<std::vector<InferenceProviderMapping>> inference_provider_mapping;
    std::optional<std::vector<EvalResultEntry>> eval_results;
    std::optional<std::vector<RepoSibling>> siblings;
    std::optional<SafeTensorsInfo> safetensors;
    std::optional<TransformersInfo> transformers_info;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(ModelInfo, (),
                      (id, author, sha, created_at, last_modified, private_, disabled, gated, downloads,
                       downloads_all_time, likes, trending_score, used_storage, children_model_count, library_name,
                       pipeline_tag, mask_token, inference, tags, spaces, base_models, card_data, config, gguf,
                       resource_group, security_repo_status, model_index, widget_data, inference_provider_mapping,
                       eval_results, siblings, safetensors, transformers_info))

struct DatasetInfo {
    std::string id;  ///< "namespace/name".
    std::optional<std::string> author;
    std::optional<std::string> sha;  ///< The commit that is described.
    std::optional<Datetime> created_at, last_modified;
    std::optional<bool> private_, disabled;
    std::optional<Gated> gated;
    std::optional<std::int64_t> downloads, downloads_all_time, likes, trending_score, used_storage, main_size;
    std::optional<std::string> citation, description, paperswithcode_id;
    std::optional<std::vector<std::string>> tags;
    std::optional<json::object> card_data, resource_group;
    std::optional<std::vector<RepoSibling>> siblings;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(DatasetInfo, (),
                      (id, author, sha, created_at, last_modified, private_, disabled, gated, downloads,
                       downloads_all_time, likes, trending_score, used_storage, main_size, citation, description,
                       paperswithcode_id, tags, card_data, resource_group, siblings))

struct SpaceInfo {
    std::string id;  ///< "namespace/name".
    std::optional<std::string> author;
    std::optional<std::string> sha;  ///< The commit that is described.
    std::optional<Datetime> created_at, last_modified;
    std::optional<bool> private_, disabled;
    std::optional<Gated> gated;
    std::optional<std::int64_t> likes, trending_score, used_storage;
    std::optional<std::string> host, subdomain, sdk, region;
    std::optional<std::vector<std::string>> tags, models, datasets;
    std::optional<json::object> card_data, resource_group;
    std::optional<std::vector<RepoSibling>> siblings;
    std::optional<SpaceRuntime> runtime;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(SpaceInfo, (),
                      (id, author, sha, created_at, last_modified, private_, disabled, gated, likes, trending_score,
                       used_storage, host, subdomain, sdk, region, tags, models, datasets, card_data, resource_group,
                       siblings, runtime))

struct KernelInfo {
    std::string id;  ///< "namespace/name".
    std::optional<std::string> author;
    std::optional<std::string> sha;  ///< The commit that is described.
    std::optional<Datetime> last_modified;
    std::optional<bool> private_;
    std::optional<Gated> gated;
    std::optional<std::int64_t> downloads, likes;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(KernelInfo, (), (id, author, sha, last_modified, private_, gated, downloads, likes))

/// What repo_info returns: the kind that was asked for.
using RepoInfo = std::variant<ModelInfo, DatasetInfo, SpaceInfo, KernelInfo>;

}  // namespace hfhub
