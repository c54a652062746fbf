// Files and locks of a process that forks: a child's copies of the objects do nothing to them.

#include "../core/temporary_folder.hpp"
#include "child.hpp"
#include "core/atomic_file.hpp"
#include "core/file_lock.hpp"
#include "hub/part_file.hpp"
#include "hub/space_claim.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

using namespace hfhub;
using namespace hfhub::test;
namespace fs = std::filesystem;

TEST_CASE("a lock ends with the process that took it, though a child of that lives on") {
    const TemporaryFolder folder;
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const int status = status_of(start_child([&] {
        ::close(pipe[1]);
        auto& lock = *new FileLock(folder / "lock");
        if (!lock.try_lock()) return 1;
        const pid_t child = ::fork();
        if (child == 0) {
            char byte = 0;
            (void)!::read(pipe[0], &byte, 1);
            ::_exit(0);
        }
        ::_exit(child > 0 ? 0 : 2);
    }));
    CHECK(status == 0);
    // The child's child may not have run yet; it lives until its pipe is closed.
    FileLock lock(folder / "lock");
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!lock.try_lock() && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(lock.owns_lock());
    ::close(pipe[1]);  // ends the child's child
    ::close(pipe[0]);
}

TEST_CASE("a child does not hold its parent's lock, and its copy of it lets nothing go") {
    const TemporaryFolder folder;
    const auto path = folder / "lock";
    const auto no_flock = [](int, int) { return errno = ENOSYS, -1; };
    for (const FileLock::Flock flock : {FileLock::Flock(nullptr), FileLock::Flock(no_flock)}) {
        auto lock = std::make_unique<FileLock>(path, flock);
        REQUIRE(lock->try_lock());
        CHECK(status_of(start_child([&] {
                  if (lock->owns_lock() || lock->refresh()) return 1;
                  if (lock->try_lock()) return 2;
                  std::ofstream reused(folder / "reused");  // where the lock's descriptor was
                  lock.reset();
                  return reused << "x" << std::flush && !FileLock(path, flock).try_lock() ? 0 : 3;
              })) == 0);
        CHECK(lock->owns_lock());
        CHECK(!FileLock(path, flock).try_lock());
        lock.reset();
        CHECK(FileLock(path, flock).try_lock());
    }
}

TEST_CASE("a child's copy of an unfinished file leaves it alone") {
    const TemporaryFolder folder;
    hub::PartContent content;
    content.etag = "\"weak\"";  // nothing that would be kept
    auto part = std::make_unique<hub::PartFile>(folder.path(), "stem", content);
    std::ofstream(folder / "from") << "content";
    auto copy = std::make_unique<FileCopy>(folder / "from", folder / "to", folder / "temporary");
    const fs::path unfinished = part->path();
    REQUIRE(fs::exists(unfinished));
    CHECK(status_of(start_child([&] { return part.reset(), copy.reset(), 0; })) == 0);
    CHECK(fs::exists(unfinished));
    CHECK(fs::exists(folder / "temporary"));
    part.reset();
    copy.reset();
    CHECK(!fs::exists(unfinished));
    CHECK(!fs::exists(folder / "temporary"));
}

TEST_CASE("room that the parent has claimed is not claimed in the child") {
    std::optional<hub::SpaceClaim> claim(std::in_place);
    REQUIRE(claim->try_claim(7, 100, 150));
    CHECK(status_of(start_child([&] {
              if (hub::SpaceClaim::claimed(7) != 0) return 1;
              claim->resize(50);
              claim.reset();
              hub::SpaceClaim own;
              return own.try_claim(7, 100, 150) && hub::SpaceClaim::claimed(7) == 100 ? 0 : 2;
          })) == 0);
    CHECK(hub::SpaceClaim::claimed(7) == 100);
    claim.reset();
    CHECK(hub::SpaceClaim::claimed(7) == 0);
}
