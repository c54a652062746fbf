#include "hub/part_name.hpp"

#include "core/atomic_file.hpp"
#include "core/digest.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>

namespace hfhub::hub {

namespace {

constexpr std::size_t digits = 8;
constexpr std::size_t max_id = 4096;

std::string short_hash(std::string_view text) { return sha256_hex(text).substr(0, digits); }

std::string id_in(const char* path) {
    try {
        std::string id = read_file_if_exists(path, max_id).value_or("");
        id.erase(std::find(id.begin(), id.end(), '\n'), id.end());
        return id;
    } catch (const std::exception&) {
        return {};
    }
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

bool is_hex(std::string_view text) {
    return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

}  // namespace

PartHost make_part_host(std::string_view boot_id, std::string_view machine_id, std::string_view host_name) {
    PartHost host;
    // Images carry one machine id to many hosts: only with the name is it of one.
    const bool named = !host_name.empty() && host_name != "localhost";
    if (named || !machine_id.empty()) {
        host.machine = short_hash(std::string(machine_id) + "\n" + std::string(host_name));
    }
    if (!boot_id.empty()) host.boot = short_hash(boot_id);
    return host;
}

const PartHost& this_part_host() {
    static const PartHost host =
        make_part_host(id_in("/proc/sys/kernel/random/boot_id"), id_in("/etc/machine-id"), host_name());
    return host;
}

std::string new_part_name(std::string_view stem, const PartHost& host) {
    const auto or_nothing = [](const std::string& tag) { return tag.empty() ? std::string(digits, '0') : tag; };
    char random[digits + 1];
    std::snprintf(random, sizeof random, "%08x", static_cast<unsigned>(std::random_device()()));
    return std::string(stem) + "." + or_nothing(host.boot) + "-" + or_nothing(host.machine) + "-" + random +
           std::string(part_suffix);
}

PartName read_part_name(std::string_view name, std::string_view stem, const PartHost& host) {
    PartName read;
    if (!name.starts_with(stem) || !name.ends_with(part_suffix) || name.size() < stem.size() + part_suffix.size())
        return read;
    std::string_view tags = name.substr(stem.size(), name.size() - stem.size() - part_suffix.size());
    if (tags.empty()) return {true, false};
    if (tags.front() != '.') return read;
    tags.remove_prefix(1);
    if (is_hex(tags)) return {true, false};
    const bool ours = tags.size() == 3 * digits + 2 && tags[digits] == '-' && tags[2 * digits + 1] == '-';
    if (!ours) return read;
    const std::string_view boot = tags.substr(0, digits), machine = tags.substr(digits + 1, digits);
    read.matches = is_hex(boot) && is_hex(machine) && is_hex(tags.substr(2 * digits + 2));
    read.from_this_host = read.matches && (boot == host.boot || machine == host.machine);
    return read;
}

}  // namespace hfhub::hub
