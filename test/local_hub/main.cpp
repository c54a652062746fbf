#include "certificates.hpp"
#include "hub.hpp"
#include "server.hpp"

#include <stdlib.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace hfhub::local_hub;
namespace fs = std::filesystem;

constexpr const char* help =
    "hfhub-local-hub --port N [options]: a Hub on the loopback interface, for tests and demonstrations\n"
    "  --port N                 0 picks a free one; prints \"listening on URL\" when ready (and \"cdn on URL\"\n"
    "                           to standard error)\n"
    "  --cdn-port N             port of the storage host (default: a free one)\n"
    "  --tls                    HTTPS with a fresh authority, written to DIR/ca.pem\n"
    "  --data DIR               where objects are kept (default: a temporary directory, removed at the end)\n"
    "  --threads N              threads that serve (default 1)\n"
    "  --multipart-threshold B  larger LFS uploads go in parts (default 20000000)\n"
    "  --chunk-size B           bytes of a part (default 10000000)\n"
    "  --lfs-threshold B        larger files are LFS whatever their name (default 10485760)\n"
    "  --page-size N            most entries of one page of a listing (default 1000)\n"
    "  --url-lifetime S         seconds that a signed URL is good for (default 3600)\n"
    "Any token hf_NAME belongs to the user NAME; hf_NAME_read may not write; hf_invalid is refused. Everybody is a\n"
    "member of the organization acme. GET /_local/stats, POST /_local/reset[?repositories=1], POST /_local/faults\n"
    "{\"method\",\"path\",\"fault\"}; a fault in ?x_fault= or x-local-fault: status:503;n=2  cut:BYTES  reset:BYTES\n"
    "stall:BYTES  delay_ms:N. Chat: x_tokens, x_delay_us, x_batch in the body or the query.\n";

struct Arguments {
    Settings settings;
    std::uint16_t port = 0;
    unsigned threads = 1;
    bool tls = false, help = false;
};

template <class Number>
Number number_in(std::string_view text) {
    Number value = 0;
    auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
        throw std::invalid_argument("no number: " + std::string(text));
    }
    return value;
}

void take_value(Arguments& arguments, std::string_view name, std::string_view value) {
    Settings& settings = arguments.settings;
    if (name == "--port") {
        arguments.port = number_in<std::uint16_t>(value);
    } else if (name == "--cdn-port") {
        settings.storage_port = number_in<std::uint16_t>(value);
    } else if (name == "--data") {
        settings.directory = value;
    } else if (name == "--threads") {
        arguments.threads = std::max(1U, number_in<unsigned>(value));
    } else if (name == "--multipart-threshold") {
        settings.multipart_threshold = number_in<std::uint64_t>(value);
    } else if (name == "--chunk-size") {
        settings.chunk_size = std::max<std::uint64_t>(1, number_in<std::uint64_t>(value));
    } else if (name == "--lfs-threshold") {
        settings.lfs_threshold = number_in<std::uint64_t>(value);
    } else if (name == "--page-size") {
        settings.page_size = std::max<std::size_t>(1, number_in<std::size_t>(value));
    } else if (name == "--url-lifetime") {
        settings.url_lifetime = number_in<std::int64_t>(value);
    } else {
        throw std::invalid_argument("unknown option " + std::string(name));
    }
}

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        std::string_view name = argv[i];
        if (name == "--tls") {
            arguments.tls = true;
        } else if (name == "--help") {
            arguments.help = true;
        } else if (i + 1 < argc) {
            take_value(arguments, name, argv[++i]);
        } else {
            throw std::invalid_argument("unknown option, or one without its value: " + std::string(name));
        }
    }
    return arguments;
}

/// The data directory; removed at the end if it was made here.
class DataDirectory {
  public:
    explicit DataDirectory(const fs::path& wanted) : path_(wanted), temporary_(wanted.empty()) {
        if (temporary_) {
            std::string pattern = (fs::temp_directory_path() / "hfhub-local-hub-XXXXXX").string();
            if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a directory " + pattern);
            path_ = pattern;
        }
        fs::create_directories(path_);
    }
    ~DataDirectory() {
        std::error_code ignored;
        if (temporary_) fs::remove_all(path_, ignored);
    }
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
    bool temporary_;
};

void run(Arguments arguments) {
    DataDirectory directory(arguments.settings.directory);
    arguments.settings.directory = directory.path();
    TlsContext tls;
    if (arguments.tls) tls = make_tls_context(directory.path() / "ca.pem");
    Statistics statistics;
    Hub hub(arguments.settings, statistics);
    Server server(hub, statistics, std::move(tls), arguments.threads);
    std::uint16_t port = server.listen(Site::hub, arguments.port);
    std::uint16_t storage_port = server.listen(Site::storage, arguments.settings.storage_port);
    hub.set_storage_port(storage_port);
    const char* origin = arguments.tls ? "https://localhost" : "http://127.0.0.1";
    const char* storage_origin = arguments.tls ? "https://127.0.0.1" : "http://localhost";
    std::fprintf(stderr, "cdn on %s:%u\n", storage_origin, storage_port);
    if (arguments.tls) std::fprintf(stderr, "authority %s\n", (directory.path() / "ca.pem").c_str());
    std::printf("listening on %s:%u\n", origin, port);
    std::fflush(stdout);
    server.run();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Arguments arguments = parse(argc, argv);
        if (arguments.help) {
            std::fputs(help, stdout);
            return 0;
        }
        run(std::move(arguments));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "hfhub-local-hub: %s\n", error.what());
        return 2;
    }
}
