// Proxy settings: a list of hosts means what its entries mean, and no setting gets control characters into a request.

#include "http/proxy_rules.hpp"

#include "fuzz.hpp"

#include <hfhub/error.hpp>

#include <string>

namespace {

using namespace hfhub;
using namespace hfhub::http;
using namespace hfhub::fuzz;

void check_no_proxy(const Url& url, std::string_view list) {
    const bool bypassed = bypasses_proxy(url, list);
    const std::string text(list);
    require(!bypassed || bypasses_proxy(url, text + ", other.invalid"), "more entries bypass no less");
    require(bypasses_proxy(url, text + " *"), "a star bypasses everything");
    const std::size_t comma = list.find(',');
    if (comma == list.npos) return;
    const bool either = bypasses_proxy(url, list.substr(0, comma)) || bypasses_proxy(url, list.substr(comma + 1));
    require(bypassed == either, "a list bypasses what one of its parts does");
}

void check_proxy(const Url& url, const std::string& setting) {
    try {
        const auto proxy = proxy_for(url, {setting, setting, setting, {}});
        require(proxy.has_value() == !setting.empty(), "a setting is used");
        if (!proxy) return;
        require(!proxy->host.empty() && default_port(proxy->scheme) != 0, "a proxy has a scheme and a host");
        require(!has_control(basic_credentials(*proxy)), "credentials fit into a field");
    } catch (const InvalidArgumentError& error) {
        require(!has_control(error.what()), "messages have no control characters");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const std::string address(input.line()), setting(input.line());
    Url url;
    try {
        url = Url::parse(address);
    } catch (const InvalidArgumentError&) {
        return 0;
    }
    check_proxy(url, setting);
    check_no_proxy(url, input.rest());
    return 0;
}
