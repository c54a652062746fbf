#pragma once

// Names of part files, which tell where they were made.

#include <string>
#include <string_view>

namespace hfhub::hub {

/// Where a part was made, as 8 hexadecimal digits each.
struct PartHost {
    std::string boot;     ///< The running kernel: it sees all locks of all its containers.
    std::string machine;  ///< The same after a restart; empty where it cannot be told from others.
};
PartHost make_part_host(std::string_view boot_id, std::string_view machine_id, std::string_view host_name);
const PartHost& this_part_host();

inline constexpr std::string_view part_suffix = ".incomplete";

/// "STEM.BOOT-MACHINE-RANDOM.incomplete".
std::string new_part_name(std::string_view stem, const PartHost& host = this_part_host());

struct PartName {
    bool matches = false;         ///< It is one of a part with that stem, be it Python's ("STEM.XXXXXXXX.incomplete").
    bool from_this_host = false;  ///< Whoever may be writing to it would be seen holding a lock.
};
PartName read_part_name(std::string_view name, std::string_view stem, const PartHost& host = this_part_host());

}  // namespace hfhub::hub
