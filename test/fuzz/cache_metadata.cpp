// Files that the library finds on the disk: what is remembered of a local folder, names of parts, saved tokens.

#include "fuzz.hpp"
#include "hub/local_folder.hpp"
#include "hub/part_name.hpp"
#include "hub/stored_tokens.hpp"

#include <hfhub/error.hpp>

#include <cmath>
#include <string>

namespace {

using namespace hfhub;
using namespace hfhub::hub;
using namespace hfhub::fuzz;

void check_local_metadata(std::string_view text) {
    const auto metadata = parse_local_metadata(text);
    if (!metadata) return;
    require(std::isfinite(metadata->timestamp), "a time is a number");
    const auto again = parse_local_metadata(format_local_metadata(*metadata));
    require(again.has_value(), "what is written can be read");
    require(again->commit_hash == metadata->commit_hash && again->etag == metadata->etag, "as the same");
    require(std::abs(again->timestamp - metadata->timestamp) <= 1e-6, "to the microsecond");
}

void check_stored_tokens(std::string_view text) {
    StoredTokens tokens;
    try {
        tokens = parse_stored_tokens(text);
    } catch (const IoError&) {
        return;
    }
    require(parse_stored_tokens(format_stored_tokens(tokens)) == tokens, "tokens are read as they are written");
}

void check_token_name(std::string_view text) {
    try {
        validate_token_name(text);
    } catch (const InvalidArgumentError&) {
        return;
    }
    const StoredTokens tokens{{std::string(text), {{"hf_token", "hf_x"}}}};
    require(parse_stored_tokens(format_stored_tokens(tokens)) == tokens, "a name that may be used is read as it is");
}

void check_part_name(std::string_view name, std::string_view stem) {
    const PartHost host = make_part_host("boot", "machine", "name");
    const PartName read = read_part_name(name, stem, host);
    require(!read.from_this_host || read.matches, "only a part is of this host");
    require(!read.matches || (name.starts_with(stem) && name.ends_with(part_suffix)), "a part has stem and suffix");
    const PartName own = read_part_name(new_part_name(stem, host), stem, host);
    require(own.matches && own.from_this_host, "the own names are known again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    switch (input.choice() % 4) {
        case 0:
            check_local_metadata(input.rest());
            break;
        case 1:
            check_stored_tokens(input.rest());
            break;
        case 2:
            check_token_name(input.rest());
            break;
        default: {
            const std::string_view stem = input.line();
            check_part_name(input.rest(), stem);
        }
    }
    return 0;
}
