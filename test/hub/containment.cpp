// Links in a local_dir or a cache that lead out of it, planted before a download or while it runs.

#include "small_hub.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdio.h>

#include <atomic>
#include <random>
#include <thread>

using namespace hfhub;
using namespace hfhub::test;

namespace {

constexpr std::string_view filename = "sub/deep/f";

/// A cache and a local_dir with the file in both, and a folder outside of them that is to stay empty.
struct Places {
    SmallHub hub;
    TemporaryFolder outside;
    fs::path local = hub.home / "local";

    Places() {
        download(false);
        fs::remove_all(hub.repo() / ".no_exist");
        download(true);
    }
    fs::path download(bool into_folder, bool force = true) const {
        const std::string folder = local.string();
        HfHubDownloadOptions options{.force_download = force};
        if (into_folder) options.local_dir = folder;
        return hub.api().hf_hub_download("a/m", filename, options);
    }
    bool nothing_is_outside() const { return fs::is_empty(outside.path()); }
    fs::path base(bool into_folder) const { return into_folder ? local : hub.home / "hub"; }
};

struct Place {
    std::string folder;
    bool in_local_dir;
};

std::vector<Place> all_places() {
    const std::string repo = "models--a--m", snapshot = repo + "/snapshots/" + std::string(commit);
    return {{"sub", true},
            {"sub/deep", true},
            {".cache", true},
            {".cache/huggingface", true},
            {".cache/huggingface/download/sub", true},
            {".cache/huggingface/download/sub/deep", true},
            {repo + "/blobs", false},
            {repo + "/snapshots", false},
            {snapshot, false},
            {snapshot + "/sub/deep", false},
            {".locks/" + repo, false}};
}

/// Exchanges a folder and a link that leads out, back and forth, until it is destroyed; then the folder is in place.
class Swapper {
  public:
    Swapper(fs::path folder, const fs::path& outside) : folder_(std::move(folder)), link_(folder_.string() + ".link") {
        fs::create_directory_symlink(outside, link_);
        thread_ = std::thread([this] { run(); });
    }
    Swapper(const Swapper&) = delete;
    Swapper& operator=(const Swapper&) = delete;
    ~Swapper() {
        stop_ = true;
        thread_.join();
        fs::remove(link_);
    }
    std::size_t swaps() const { return swaps_; }

  private:
    bool exchange() const {
        return ::renameat2(AT_FDCWD, folder_.c_str(), AT_FDCWD, link_.c_str(), RENAME_EXCHANGE) == 0;
    }
    void run() {
        std::minstd_rand random(1);
        while (!stop_) {
            if (!exchange()) continue;
            for (auto spins = random() % 500; spins > 0; --spins) looked_ = spins;
            while (!exchange()) std::this_thread::yield();
            ++swaps_;
            for (auto spins = random() % 20'000; spins > 0; --spins) looked_ = spins;
        }
    }

    fs::path folder_, link_;
    std::atomic<bool> stop_ = false;
    std::atomic<std::size_t> swaps_ = 0, looked_ = 0;
    std::thread thread_;
};

}  // namespace

TEST_CASE("a link that leads out is not followed, and named") {
    for (const Place& place : all_places()) {
        CAPTURE(place.folder);
        const Places places;
        const fs::path folder = places.base(place.in_local_dir) / place.folder;
        fs::remove_all(folder);
        fs::create_directory_symlink(places.outside.path(), folder);
        std::string said;
        try {
            places.download(place.in_local_dir);
        } catch (const IoError& error) {
            said = error.what();
        }
        const std::string link = fs::canonical(folder.parent_path()) / folder.filename();
        CHECK_MESSAGE(said.find("the link " + link + " is not followed") != std::string::npos, said);
        CHECK(places.nothing_is_outside());
        fs::remove(folder);
        CHECK(places.hub.text(places.download(place.in_local_dir)) == content);
    }
}

TEST_CASE("a link that stays inside of the folder is followed, if it is relative") {
    const Places places;
    fs::remove_all(places.local / "sub");
    fs::create_directories(places.local / "real");
    fs::create_directory_symlink("real", places.local / "sub");
    CHECK(places.hub.text(places.download(true)) == content);
    CHECK(places.hub.text(places.local / "real/deep/f") == content);
    fs::remove(places.local / "sub");
    fs::create_directory_symlink(places.local / "real", places.local / "sub");
    CHECK_THROWS_AS(places.download(true), IoError);
}

TEST_CASE("a repository's folder, the locks' and the local_dir itself may be links") {
    const Places places;
    for (const fs::path& folder : {places.hub.repo(), places.hub.home / "hub/.locks", places.local}) {
        const fs::path moved = places.outside / folder.filename();
        fs::rename(folder, moved);
        fs::create_directory_symlink(moved, folder);
    }
    CHECK(places.hub.text(places.download(false)) == content);
    CHECK(places.hub.text(places.download(true)) == content);
}

TEST_CASE("500 downloads while folders are exchanged for links write nothing outside") {
    const auto all = all_places();
    std::size_t whole = 0;
    for (const Place& place : all) {
        CAPTURE(place.folder);
        const Places places;
        std::size_t swaps = 0;
        {
            const Swapper swapper(places.base(place.in_local_dir) / place.folder, places.outside.path());
            for (std::size_t i = 0; i < 500 / all.size() + 1; ++i) {
                try {
                    places.download(place.in_local_dir, i % 2 == 0);
                    ++whole;
                } catch (const IoError&) {
                    // Whoever swaps the folders can keep the download from its end, but no more.
                }
            }
            while (swapper.swaps() == 0) std::this_thread::yield();
            swaps = swapper.swaps();
        }
        CHECK(swaps > 0);
        CHECK(places.nothing_is_outside());
        CHECK(places.hub.text(places.download(place.in_local_dir)) == content);
    }
    CHECK(whole > 0);
}
