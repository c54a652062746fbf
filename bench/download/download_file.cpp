// One large file through the public API:
//   download-file upload REPO FILE      creates the repository and uploads FILE as "big"
//   download-file upload-folder REPO FOLDER   the same with all files of a folder; prints as for a download
//   download-file download REPO CACHE   downloads it, verified; prints CPU seconds, wall seconds and peak RSS in KiB
#include <hfhub/hub/hf_api.hpp>

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <string>

using namespace hfhub;

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const std::string action = argv[1];
    const HfApi api;
    if (action == "upload") {
        api.create_repo(argv[2], {.exist_ok = true});
        api.upload_file(std::filesystem::path(argv[3]), "big", argv[2]);
        return 0;
    }
    const auto begin = std::chrono::steady_clock::now();
    if (action == "upload-folder") {
        api.create_repo(argv[2], {.exist_ok = true});
        api.upload_folder(argv[3], argv[2]);
    } else {
        api.hf_hub_download(argv[2], "big", {.cache_dir = argv[3]});
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec * 1e-6; };
    std::printf("%.6f %.6f %ld\n", seconds(usage.ru_utime) + seconds(usage.ru_stime), wall.count(), usage.ru_maxrss);
    return 0;
}
