#pragma once

// The Hub's API: HfApi waits, AsyncHfApi returns awaitables.
//
//     hfhub::HfApi api;
//     hfhub::ModelInfo info = api.model_info("openai-community/gpt2");
//
//     hfhub::AsyncHfApi api;
//     hfhub::ModelInfo info = co_await api.model_info("openai-community/gpt2");

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/buckets.hpp>
#include <hfhub/hub/cache.hpp>
#include <hfhub/hub/commits.hpp>
#include <hfhub/hub/download.hpp>
#include <hfhub/hub/endpoints.hpp>
#include <hfhub/hub/gguf.hpp>
#include <hfhub/hub/jobs.hpp>
#include <hfhub/hub/refs.hpp>
#include <hfhub/hub/repos.hpp>
#include <hfhub/hub/safetensors.hpp>
#include <hfhub/hub/search.hpp>
#include <hfhub/hub/snapshot.hpp>
#include <hfhub/hub/spaces.hpp>
#include <hfhub/hub/upload.hpp>
#include <hfhub/hub/users.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/session.hpp>

#include <chrono>
#include <concepts>
#include <stop_token>
#include <utility>

namespace hfhub {

/// Methods by topic. Cheap to copy; any number of threads may use one object. Texts and lists that are given to a
/// method are copied before it returns.
template <class Mode>
class BasicHfApi : public BasicBuckets<Mode>,
                   public BasicCache<Mode>,
                   public BasicCommits<Mode>,
                   public BasicDownload<Mode>,
                   public BasicEndpoints<Mode>,
                   public BasicGguf<Mode>,
                   public BasicJobs<Mode>,
                   public BasicRefs<Mode>,
                   public BasicRepos<Mode>,
                   public BasicSafetensors<Mode>,
                   public BasicSearch<Mode>,
                   public BasicSnapshot<Mode>,
                   public BasicSpaces<Mode>,
                   public BasicUploads<Mode>,
                   public BasicUsers<Mode> {
  public:
    /// In the process-wide session.
    BasicHfApi() : BasicHfApi(HfApiOptions()) {}
    explicit BasicHfApi(const HfApiOptions& options) : BasicHfApi(default_session(), options) {}
    BasicHfApi(Session session, const HfApiOptions& options = {}) : ApiHandle(std::move(session), options) {}

    /// A copy whose calls end with TimeoutError where they take longer in all; of a listing, each page is a call. 0 is
    /// no limit.
    BasicHfApi with_timeout(std::chrono::milliseconds timeout) const {
        BasicHfApi copy = *this;
        copy.set_timeout(timeout);
        return copy;
    }

    /// A copy whose calls end with CancelledError when a stop is requested.
    BasicHfApi with_stop(std::stop_token stop) const
        requires std::same_as<Mode, Blocking>
    {
        BasicHfApi copy = *this;
        copy.set_stop(std::move(stop));
        return copy;
    }

  private:
    static Session default_session() {
        if constexpr (std::same_as<Mode, Awaiting>) return default_async_session();
        return Session();
    }
};

using HfApi = BasicHfApi<Blocking>;
using AsyncHfApi = BasicHfApi<Awaiting>;

}  // namespace hfhub
