#pragma once

// What a Space runs on, and with.

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace hfhub {

/// A bucket or repository that is mounted in a Space or Job.
struct Volume {
    std::string type = "model";  ///< "bucket", "model", "dataset" or "space".
    std::string source;          ///< "namespace/name".
    std::string mount_path;      ///< Begins with '/'.
    std::optional<std::string> revision{};
    std::optional<bool> read_only{};
    std::optional<std::string> path{};  ///< Folder of the source, all of it where empty.
};
BOOST_DESCRIBE_STRUCT(Volume, (), (type, source, mount_path, revision, read_only, path))

/// A reload of a running Space's code.
struct SpaceHotReloading {
    std::string status;  ///< "created" or "canceled".
    std::vector<std::pair<std::string, std::optional<std::string>>> replica_statuses;
    json::object raw;  ///< The whole object.
};
BOOST_DESCRIBE_STRUCT(SpaceHotReloading, (), (status, replica_statuses, raw))

/// The state of a Space.
struct SpaceRuntime {
    std::string stage;                              ///< "RUNNING", "BUILDING", "PAUSED", …
    std::optional<std::string> hardware;            ///< What it runs on, such as "cpu-basic".
    std::optional<std::string> requested_hardware;  ///< What it was asked to run on.
    std::optional<std::int64_t> sleep_time;         ///< Seconds without a request until it sleeps.
    std::optional<std::string> storage;
    bool dev_mode = false;
    std::optional<SpaceHotReloading> hot_reloading;
    std::optional<std::vector<Volume>> volumes;
    json::object raw;  ///< The whole object.
};
BOOST_DESCRIBE_STRUCT(SpaceRuntime, (),
                      (stage, hardware, requested_hardware, sleep_time, storage, dev_mode, hot_reloading, volumes, raw))

/// A Space to begin another with.
struct SpaceTemplate {
    std::string name;
    std::string repo_id;
    std::string sdk;
    bool preferred_private = false;  ///< Spaces made from it are better private.
    json::object raw;                ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(SpaceTemplate, (), (name, repo_id, sdk, preferred_private))

/// A secret or a variable that a Space is made with.
struct SpaceKeyValue {
    std::string_view key, value;
    std::optional<std::string_view> description{};
};
static_assert(std::is_trivially_destructible_v<SpaceKeyValue>);
BOOST_DESCRIBE_STRUCT(SpaceKeyValue, (), (key, value, description))

struct ListSpaceTemplatesOptions {
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ListSpaceTemplatesOptions>);
BOOST_DESCRIBE_STRUCT(ListSpaceTemplatesOptions, (), (token))

template <class Mode>
class BasicSpaces : public virtual ApiHandle {
  public:
    /// Templates that create_repo takes as space_template.
    typename Mode::template result<std::vector<SpaceTemplate>> list_space_templates(
        ListSpaceTemplatesOptions options = {}) const;
};

extern template class BasicSpaces<Blocking>;
extern template class BasicSpaces<Awaiting>;

}  // namespace hfhub
