#include "http/workers.hpp"
#include "hub/cache_delete.hpp"
#include "hub/cache_scan.hpp"
#include "hub/cache_store.hpp"
#include "hub/cache_verify.hpp"
#include "hub/call.hpp"
#include "hub/parallel.hpp"

#include <hfhub/hub/cache.hpp>

#include <memory>

namespace hfhub {

namespace hub {

namespace {

/// A scan is nothing but waiting for the kernel, which serves several threads at once.
constexpr std::size_t scans_at_once = 4;

/// Repositories, dealt out so that each scan has some of the large ones.
struct CacheScan {
    std::filesystem::path cache_dir;
    std::vector<std::vector<std::string>> names{scans_at_once};
    std::vector<HFCacheInfo> parts{scans_at_once};
};

awaitable<void> scan_some(Client client, std::shared_ptr<CacheScan> scan, std::size_t index) {
    auto work = [scan, index] { return scan_repos(scan->cache_dir, scan->names[index]); };
    scan->parts[index] = co_await client.workers().run(std::move(work));
}

awaitable<HFCacheInfo> scan_cache_dir(Client client, Owned<ScanCacheDirOptions> options) {
    const std::string cache_dir =
        options->cache_dir.empty() ? client.environment().hub_cache.string() : std::string(options->cache_dir);
    auto list = [cache_dir] {
        auto scan = std::make_shared<CacheScan>();
        scan->cache_dir = resolved_folder(cache_dir);
        const std::vector<std::string> names = list_cache(scan->cache_dir);
        for (std::size_t i = 0; i < names.size(); ++i) scan->names[i % scans_at_once].push_back(names[i]);
        return scan;
    };
    const std::shared_ptr<CacheScan> scan = co_await client.workers().run(std::move(list));
    auto work = [client, scan](std::size_t index) { return scan_some(client, scan, index); };
    co_await run_parallel(client, scan->names.size(), scans_at_once, std::move(work));
    auto join = [scan] { return join_scans(std::move(scan->parts)); };
    co_return co_await client.workers().run(std::move(join));
}

awaitable<void> execute(Client client, DeleteCacheStrategy strategy) {
    auto work = [strategy = std::move(strategy)] { delete_from_cache(strategy); };
    co_await client.workers().run(std::move(work));
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicCache<Mode>::scan_cache_dir(ScanCacheDirOptions options) const ->
    typename Mode::template result<HFCacheInfo> {
    return call<Mode>(*this, hub::scan_cache_dir, options);
}

template <class Mode>
auto BasicCache<Mode>::execute(const DeleteCacheStrategy& strategy) const -> typename Mode::template result<void> {
    return call<Mode>(*this, hub::execute, strategy);
}

template <class Mode>
auto BasicCache<Mode>::verify_repo_checksums(std::string_view repo_id, VerifyRepoChecksumsOptions options) const ->
    typename Mode::template result<FolderVerification> {
    return call<Mode>(*this, hub::verify_repo_checksums, repo_id, options);
}

template <class Mode>
auto BasicCache<Mode>::verify_cache(VerifyCacheOptions options) const ->
    typename Mode::template result<CacheVerification> {
    return call<Mode>(*this, hub::verify_cache, options);
}

template class BasicCache<Blocking>;
template class BasicCache<Awaiting>;

}  // namespace hfhub
