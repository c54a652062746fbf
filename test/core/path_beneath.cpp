#include "core/path_beneath.hpp"

#include "core/atomic_file.hpp"
#include "core/file_lock.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

using namespace hfhub;
namespace fs = std::filesystem;

namespace {

/// A folder, one inside of it, and one that nothing must be written to, with links of all kinds.
struct Planted {
    TemporaryFolder folder;
    fs::path root = folder / "root", outside = folder / "outside";

    Planted() {
        fs::create_directories(root / "real/deep");
        fs::create_directories(outside);
        write_file_atomically(outside / "precious", "precious");
        fs::create_directory_symlink(outside, root / "absolute");
        fs::create_directory_symlink("../outside", root / "relative");
        fs::create_directory_symlink("../../../outside", root / "real/deep/climbing");
        fs::create_directory_symlink("real/deep", root / "inside");
        fs::create_directory_symlink("..", root / "real/up");
        fs::create_directory_symlink(root / "real", root / "own");
        fs::create_directory_symlink("absolute", root / "twice");
        fs::create_directory_symlink("circle", root / "circle");
        fs::create_directory_symlink("nowhere", root / "dangling");
    }

    PathBeneath at(const char* name) const { return {root, root / name}; }
    bool outside_is_untouched() const {
        return read_file(outside / "precious", 100) == "precious" &&
               std::distance(fs::directory_iterator(outside), fs::directory_iterator()) == 1;
    }
};

using Open = int (*)(int, const fs::path&) noexcept;

int error_of(Open open, const fs::path& root, const char* name) {
    const int top = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const int opened = open(top, name);
    const int error = opened < 0 ? errno : 0;
    ::close(opened);
    ::close(top);
    return error;
}

std::string message_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const FileError& error) {
        return std::string("system: ") + error.what();
    } catch (const IoError& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("folders are opened below another, and no link leads out of it") {
    const Planted planted;
    struct Row {
        const char* name;
        int by_kernel, by_steps;
    };
    for (const Row& row :
         {Row{"real", 0, 0}, Row{"real/deep", 0, 0}, Row{"inside", 0, ELOOP}, Row{"real/up/real", 0, ELOOP},
          Row{"absolute", EXDEV, ELOOP}, Row{"relative", EXDEV, ELOOP}, Row{"real/deep/climbing", EXDEV, ELOOP},
          Row{"inside/climbing", EXDEV, ELOOP}, Row{"own", EXDEV, ELOOP}, Row{"twice", EXDEV, ELOOP},
          Row{"real/up/relative", EXDEV, ELOOP}, Row{"absolute/precious", EXDEV, ELOOP}, Row{"circle", ELOOP, ELOOP},
          Row{"dangling", ENOENT, ELOOP}, Row{"missing", ENOENT, ENOENT}, Row{"..", EXDEV, EXDEV},
          Row{"real/../..", EXDEV, EXDEV}}) {
        CAPTURE(row.name);
        CHECK(error_of(open_folder_beneath, planted.root, row.name) == row.by_kernel);
        CHECK(error_of(open_folder_by_steps, planted.root, row.name) == row.by_steps);
    }
}

TEST_CASE("whatever is changed beneath a folder stays there") {
    const Planted planted;
    const fs::path source = planted.folder / "source";
    write_file_atomically(source, "new");
    for (const char* link : {"absolute", "relative", "real/deep/climbing", "own", "twice", "real/up/relative"}) {
        CAPTURE(link);
        const PathBeneath file = planted.at(link) / "precious", made = planted.at(link) / "made";
        CHECK_THROWS_AS(write_file_atomically(file, "x"), IoError);
        CHECK_THROWS_AS(write_file_atomically(planted.at("f"), "x", {.temporary_folder = planted.at(link)}), IoError);
        CHECK_THROWS_AS(OutputFile(made, OutputFile::Open::create_new), IoError);
        CHECK_THROWS_AS(OutputFile(file, OutputFile::Open::truncate), IoError);
        CHECK_THROWS_AS(OutputFile(file, OutputFile::Open::existing), IoError);
        CHECK_THROWS_AS(move_file(source, file), IoError);
        CHECK_THROWS_AS(move_file(file, planted.at("f")), IoError);
        CHECK_THROWS_AS(FileCopy(source, made), IoError);
        CHECK_THROWS_AS(FileCopy(source, planted.at("f"), made), IoError);
        CHECK_THROWS_AS(try_symlink(source, made), IoError);
        CHECK_THROWS_AS(make_directories(made), IoError);
        CHECK_THROWS_AS(make_directories(planted.at(link) / "a/b"), IoError);
        CHECK_THROWS_AS(FileLock(made).try_lock(), IoError);
        CHECK_THROWS_AS(FileLock(file, nullptr, FileLock::File::existing).try_lock(), IoError);
        remove_file(file);
    }
    CHECK(planted.outside_is_untouched());
    CHECK(!fs::exists(planted.root / "f"));
    CHECK(fs::exists(source));
}

TEST_CASE("a file is moved out of a folder that a link has replaced meanwhile only where it is") {
    const Planted planted;
    OutputFile file(planted.at("real/part"), OutputFile::Open::create_new);
    fs::rename(planted.root / "real", planted.root / "moved");
    fs::create_directory_symlink(planted.outside, planted.root / "real");
    CHECK_THROWS_AS(file.move_to(planted.at("real/f")), IoError);
    CHECK_THROWS_AS(file.move_to(planted.at("f")), IoError);
    CHECK(planted.outside_is_untouched());
}

TEST_CASE("folders are made below another, through links that stay there") {
    const Planted planted;
    make_directories(planted.at("a/b/c"));
    CHECK(fs::is_directory(planted.root / "a/b/c"));
    make_directories(planted.at("a/b/c"));
    make_directories(planted.at("inside/new"));
    CHECK(fs::is_directory(planted.root / "real/deep/new"));
    write_file_atomically(planted.at("inside/f"), "x");
    CHECK(read_file(planted.root / "real/deep/f", 10) == "x");
    const fs::path fresh = planted.folder / "not/yet/";
    make_directories(PathBeneath(fresh, fresh / "a"));
    make_directories(PathBeneath(fresh, fresh.parent_path()));
    CHECK(fs::is_directory(planted.folder / "not/yet/a"));
    write_file_atomically(planted.at("file"), "x");
    CHECK(message_of([&] { make_directories(planted.at("file")); }).starts_with("system: cannot create"));
    CHECK(message_of([&] { make_directories(planted.at("file/a")); }).starts_with("system: cannot create"));
    CHECK(message_of([&] { make_directories(planted.root / "file"); }).starts_with("system: cannot create"));
    CHECK_THROWS_AS(make_directories(PathBeneath(planted.root, planted.outside)), std::logic_error);
}

TEST_CASE("a file beneath a folder is removed, and a link itself instead of what it names") {
    const Planted planted;
    write_file_atomically(planted.at("real/f"), "x");
    remove_file(planted.at("real/f"));
    CHECK(!fs::exists(planted.root / "real/f"));
    remove_file(planted.at("inside"));
    CHECK(!fs::is_symlink(planted.root / "inside"));
    CHECK(fs::is_directory(planted.root / "real/deep"));
    remove_file(planted.at("missing/f"));
}

TEST_CASE("a link that is not followed is named") {
    const Planted planted;
    const std::string root = planted.root.string();
    const auto said = [&](const char* name) {
        return message_of([&] { write_file_atomically(planted.at(name), "x"); });
    };
    CHECK(said("absolute/f") == "cannot write in " + root + "/absolute: the link " + root +
                                    "/absolute is not followed, since it leads out of " + root +
                                    " or is not relative; delete it, or put a folder in its place");
    CHECK(said("real/deep/climbing/f").find("the link " + root + "/real/deep/climbing is") != std::string::npos);
    CHECK(message_of([&] { make_directories(planted.at("dangling")); }).find("/dangling is") != std::string::npos);
    CHECK(said("missing/f").starts_with("system: cannot open " + root + "/missing: No such file"));
}

TEST_CASE("looking names up beneath a folder leaves no descriptor open") {
    const Planted planted;
    const auto open_descriptors = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = open_descriptors();
    write_file_atomically(planted.at("real/f"), "x");
    CHECK_THROWS_AS(write_file_atomically(planted.at("absolute/f"), "x"), IoError);
    make_directories(planted.at("x/y"));
    error_of(open_folder_by_steps, planted.root, "real/deep");
    error_of(open_folder_by_steps, planted.root, "real/up/real");
    CHECK(open_descriptors() == before);
}
