#include "http/trust_store.hpp"

#include "core/fork.hpp"
#include "http/system_store.hpp"
#include "http/tls_advice.hpp"

#include <hfhub/error.hpp>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <sys/stat.h>

#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace hfhub::http {

namespace {

/// A file is known by what a new one in its place would change.
struct FileState {
    dev_t device;
    ino_t inode;
    off_t size;
    timespec modified;

    bool operator==(const FileState& other) const {
        const auto all = [](const FileState& one) {
            return std::tuple(one.device, one.inode, one.size, one.modified.tv_sec, one.modified.tv_nsec);
        };
        return all(*this) == all(other);
    }
};

std::optional<FileState> state_of(const std::string& path) {
    struct stat info;
    if (path.empty() || ::stat(path.c_str(), &info) != 0) return std::nullopt;
    return FileState{info.st_dev, info.st_ino, info.st_size, info.st_mtim};
}

/// What a store is made from.
struct Origin {
    std::string file, dir, name;
    std::optional<FileState> state;
    bool operator==(const Origin&) const = default;
};

std::string name_of(const TrustSettings& trust) {
    std::string name = trust.ca_file;
    if (!trust.ca_dir.empty()) name += (name.empty() ? "" : " and ") + trust.ca_dir;
    if (!trust.source.empty()) name += " (from " + trust.source + ")";
    return name;
}

Origin origin_of(const TrustSettings& trust) {
    if (!trust.ca_file.empty() || !trust.ca_dir.empty()) {
        return {trust.ca_file, trust.ca_dir, name_of(trust), state_of(trust.ca_file)};
    }
    const SystemStore system = system_store();
    const std::string& place = system.dir.empty() ? system.file : system.dir;
    const std::string name = "the system's store (" + (place.empty() ? "none was found" : place) + ")";
    return {system.file, system.dir, name, state_of(system.file)};
}

// Several folders stand in a list, and some of a usual list may be missing: not all of them.
bool has_folder(std::string_view list) {
    for (;;) {
        const std::size_t end = list.find(':');
        std::error_code ignored;
        if (std::filesystem::is_directory(list.substr(0, end), ignored)) return true;
        if (end == std::string_view::npos) return false;
        list.remove_prefix(end + 1);
    }
}

[[noreturn]] void throw_trust_error(const TrustSettings& trust, const std::string& path) {
    const std::string from = trust.source.empty() ? std::string() : " (from " + trust.source + ")";
    ConnectError error("cannot load trusted certificates from " + path + from + ": " + openssl_reason() +
                       "; give a readable PEM file, or unset it to use the system's store");
    error.permanent = true;
    throw error;
}

std::shared_ptr<const TrustStore> load(const TrustSettings& trust, const Origin& origin) {
    ERR_clear_error();
    const std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
    if (!store) throw ConnectError("cannot set up TLS: " + openssl_reason());
    if (!origin.file.empty() && X509_STORE_load_file(store.get(), origin.file.c_str()) != 1 && !trust.ca_file.empty())
        throw_trust_error(trust, origin.file);
    const bool has_dir = has_folder(origin.dir);
    if (has_dir) X509_STORE_load_path(store.get(), origin.dir.c_str());
    if (!has_dir && !trust.ca_dir.empty()) throw_trust_error(trust, origin.dir);
    return std::make_shared<TrustStore>(TrustStore{store, origin.name});
}

/// All stores of the process.
class Stores {
  public:
    // Never freed: at the end of the process the default session may still connect.
    static Stores& of_process() {
        static auto* const all = new Stores;
        return *all;
    }

    std::shared_ptr<const TrustStore> find(const Origin& origin) {
        const std::lock_guard lock(mutex_);
        for (const auto& [from, store] : made_) {
            if (from == origin) return store;
        }
        return nullptr;
    }

    void keep(const Origin& origin, std::shared_ptr<const TrustStore> store) {
        const std::lock_guard lock(mutex_);
        // What was replaced is not asked for again.
        std::erase_if(made_, [&](const auto& one) { return one.first.name == origin.name; });
        made_.emplace_back(origin, std::move(store));
        if (made_.size() > most_kept) made_.erase(made_.begin());
    }

  private:
    static constexpr std::size_t most_kept = 8;

    using Made = std::vector<std::pair<Origin, std::shared_ptr<const TrustStore>>>;

    Stores() { on_fork_in_child(forget); }
    // A store has locks of its own, which a thread of the parent may hold.
    static void forget() { abandon(std::make_shared<Made>(std::exchange(of_process().made_, {}))); }

    ForkSafeMutex mutex_;  // not held while files are read
    Made made_;
};

}  // namespace

std::shared_ptr<const TrustStore> trust_store(const TrustSettings& trust) {
    const Origin origin = origin_of(trust);
    if (auto found = Stores::of_process().find(origin)) return found;
    auto made = load(trust, origin);
    Stores::of_process().keep(origin, made);
    return made;
}

}  // namespace hfhub::http
