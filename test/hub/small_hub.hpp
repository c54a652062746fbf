#pragma once

// A Hub in memory with one small file, and the cache of its own that it is downloaded to.

#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"
#include "file_server.hpp"

#include <hfhub/hub/download.hpp>
#include <hfhub/hub/hf_api.hpp>

namespace hfhub::test {

namespace fs = std::filesystem;

inline const std::string content = "hidden_size: 64\n";

struct SmallHub {
    explicit SmallHub(FileServer::Variables environment = {}) : SmallHub(nullptr, std::move(environment)) {}
    explicit SmallHub(FileServer::Handler handler, FileServer::Variables environment = {})
        : server(handler ? std::move(handler) : FileServer::Handler(serve), home.path().string(),
                 std::move(environment)) {}

    static FileAnswer serve(const FileRequestSeen& seen) {
        return seen.method == "HEAD" ? head_of(content, false) : rest_of(content, seen);
    }
    HfApi api() const { return HfApi(server.session()); }
    fs::path download(HfHubDownloadOptions options = {}) const { return api().hf_hub_download("a/m", "f", options); }
    fs::path repo() const { return home / "hub/models--a--m"; }
    std::string text(const fs::path& path) const { return read_file(path, 1 << 20); }

    TemporaryFolder home;
    FileServer server;
};

inline FileAnswer status(int code, std::string error_code = {}) {
    FileAnswer answer{.status = code};
    if (!error_code.empty()) answer.headers = {{"x-error-code", error_code}};
    return answer;
}

}  // namespace hfhub::test
