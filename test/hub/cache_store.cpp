#include "hub/cache_store.hpp"

#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <atomic>
#include <set>
#include <thread>

using namespace hfhub;
using namespace hfhub::hub;
namespace fs = std::filesystem;

namespace {

const std::string c0(40, '0'), c1(40, '1');

struct Store {
    TemporaryFolder folder;
    RepoCache cache{folder.path(), "model", "a/m"};
    void put(const fs::path& path, std::string_view text) const {
        make_directories(path.parent_path());
        write_file_atomically(path, text);
    }
};

}  // namespace

TEST_CASE("a ref is read without blanks, and only where it names a commit") {
    const Store store;
    CHECK(!read_ref(store.cache, "main"));
    store.put(store.cache.ref("main"), c0 + "\r\n");
    CHECK(read_ref(store.cache, "main") == c0);
    store.put(store.cache.ref("main"), "../../etc");
    CHECK(!read_ref(store.cache, "main"));
    store.put(store.cache.ref("main"), "");
    CHECK(!read_ref(store.cache, "main"));
}

TEST_CASE("a ref that is being written is no ref yet, under any name") {
    const Store store;
    write_ref(store.cache, "main", c0);
    std::atomic<bool> ended = false;
    std::set<std::string> seen;
    std::jthread lister([&] {
        while (!ended) {
            for (const auto& entry : fs::directory_iterator(store.cache.ref("main").parent_path())) {
                seen.insert(entry.path().filename());
            }
        }
    });
    for (int i = 0; i < 300; ++i) write_ref(store.cache, "main", i % 2 == 0 ? c1 : c0);
    ended = true;
    lister.join();
    CHECK(seen == std::set<std::string>{"main"});
}

TEST_CASE("an empty blob with the name of another content has lost it") {
    const Store store;
    const std::string sha(64, 'a');
    const auto lost = [&](const std::string& etag, std::string_view bytes) {
        store.put(store.cache.blob(etag), bytes);
        const fs::path pointer = store.cache.pointer(c0, "f");
        CHECK(link_pointer(store.cache.blob(etag), pointer, true));
        return lost_its_content(pointer);
    };
    CHECK(lost(sha, ""));
    CHECK(!find_cached(store.cache, c0, "f").path);
    CHECK(lost(c1, ""));
    CHECK(!lost(sha, "x"));
    CHECK(find_cached(store.cache, c0, "f").path);
    CHECK(!lost("some-etag", ""));
    CHECK(!lost(std::string(git_sha1_of_nothing), ""));
    CHECK(!lost(std::string(sha256_of_nothing), ""));
    CHECK(!lost_its_content(store.cache.blob(sha)));
    CHECK(!lost_its_content(store.folder / "missing"));
}

TEST_CASE("a ref is written only where it changes") {
    const Store store;
    write_ref(store.cache, "refs/pr/3", c0);
    const fs::path path = store.cache.ref("refs/pr/3");
    CHECK(read_file(path, 100) == c0);
    const auto inode = [&] {
        struct stat status{};
        ::stat(path.c_str(), &status);
        return status.st_ino;
    };
    const auto before = inode();
    write_ref(store.cache, "refs/pr/3", c0);
    CHECK(inode() == before);
    write_ref(store.cache, "refs/pr/3", c1);
    CHECK(read_file(path, 100) == c1);
    write_ref(store.cache, c0, c0);
    CHECK(!fs::exists(store.cache.ref(c0)));
}

TEST_CASE("readers of a ref never see a part of it") {
    const Store store;
    write_ref(store.cache, "main", c0);
    std::jthread writer([&](const std::stop_token& stop) {
        for (int i = 0; !stop.stop_requested(); ++i) write_ref(store.cache, "main", i % 2 ? c0 : c1);
    });
    for (int i = 0; i < 2000; ++i) {
        const auto ref = read_ref(store.cache, "main");
        REQUIRE(ref);
        REQUIRE((*ref == c0 || *ref == c1));
    }
}

TEST_CASE("a pointer is a relative link to the blob") {
    const Store store;
    store.put(store.cache.blob("e"), "content");
    const fs::path pointer = store.cache.pointer(c0, "a/b.txt");
    CHECK(link_pointer(store.cache.blob("e"), pointer, true));
    CHECK(fs::read_symlink(pointer) == "../../../blobs/e");
    CHECK(read_file(pointer, 100) == "content");
}

TEST_CASE("without links there is no pointer, but a place for it") {
    const Store store;
    const fs::path pointer = store.cache.pointer(c0, "a/n");
    CHECK(!link_pointer(store.cache.blob("new"), pointer, false));
    CHECK(!fs::exists(fs::symlink_status(pointer)));
    CHECK(fs::is_directory(pointer.parent_path()));
}

TEST_CASE("a ref that cannot be written is no error") {
    const Store store;
    store.put(store.cache.folder() / "refs", "not a folder");
    CHECK_NOTHROW(write_ref(store.cache, "main", c0));
    CHECK(!read_ref(store.cache, "main"));
}

TEST_CASE("the size is that of a file, be it behind a link") {
    const Store store;
    store.put(store.folder / "f", "abc");
    fs::create_symlink("f", store.folder / "link");
    fs::create_symlink("gone", store.folder / "broken");
    CHECK(file_size_at(store.folder / "f") == 3);
    CHECK(file_size_at(store.folder / "link") == 3);
    CHECK(!file_size_at(store.folder / "broken"));
    CHECK(!file_size_at(store.folder.path()));
}

TEST_CASE("a file is found by branch and by commit, and a known gap is told from an unknown one") {
    const Store store;
    CHECK(!find_cached(store.cache, "main", "f"));
    store.put(store.cache.pointer(c0, "f"), "x");
    CHECK(find_cached(store.cache, c0, "f").path == store.cache.pointer(c0, "f"));
    CHECK(!find_cached(store.cache, "main", "f"));
    write_ref(store.cache, "main", c0);
    CHECK(find_cached(store.cache, "main", "f"));
    CHECK(!find_cached(store.cache, "main", "g").known_missing);
    write_no_exist(store.cache, c0, "sub/g");
    CHECK(find_cached(store.cache, "main", "sub/g").known_missing);
    CHECK(find_cached(store.cache, c0, "sub/g").known_missing);
    fs::create_symlink("../../blobs/gone", store.cache.pointer(c0, "broken"));
    CHECK(!find_cached(store.cache, c0, "broken"));
}

TEST_CASE("a cache tag is not overwritten") {
    const Store store;
    write_cachedir_tag(store.folder.path());
    CHECK(read_file(store.folder / "CACHEDIR.TAG", 1000).starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    store.put(store.folder / "CACHEDIR.TAG", "mine");
    write_cachedir_tag(store.folder.path());
    CHECK(read_file(store.folder / "CACHEDIR.TAG", 1000) == "mine");
}
