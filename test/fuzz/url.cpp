// URLs: what is read is written and read again as the same, and what is written fits on a request line.

#include "core/url.hpp"

#include "fuzz.hpp"

#include <hfhub/error.hpp>

#include <optional>

namespace {

using namespace hfhub;
using namespace hfhub::fuzz;

void check(const Url& url) {
    for (const std::string& text : {url.str(), url.target(), url.authority(), url.origin(), url.redacted()}) {
        require(!has_control(text) && text.find(' ') == text.npos, "no blank and no control character comes out");
    }
    require(url.path.starts_with('/'), "a path begins with a slash");
    require(!url.host.empty() && url.port == Url::parse(url.origin()).port, "the origin names host and port");
    require(url.redacted().find('=') == url.redacted().npos || url.path.find('=') != url.path.npos ||
                url.host.find('=') != url.host.npos,
            "values of a query are not shown");
    const Url again = Url::parse(url.str());
    require(again.str() == url.str(), "what is written is read as the same");
    require(again.same_origin(url) && again.path == url.path && again.query == url.query, "part by part");
    require(again.user_info.empty(), "user info is not written");
    require(url.resolve(url.str()).str() == url.str(), "a URL leads to itself from anywhere");
    require(url.resolve("").str() == url.str(), "nothing leads nowhere");
}

std::optional<Url> parse(std::string_view text) {
    try {
        return Url::parse(text);
    } catch (const InvalidArgumentError& error) {
        require(!has_control(error.what()), "messages have no control characters");
        return std::nullopt;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const std::string_view first = input.line(), rest = input.rest();
    require(percent_decode(percent_encode(rest)) == rest, "what is encoded is decoded as the same");
    std::optional<Url> url = parse(first);
    if (!url) return 0;
    check(*url);
    try {
        const Url resolved = url->resolve(rest);
        check(resolved);
        require(resolved.scheme == "http" || resolved.scheme == "https" || resolved.scheme.starts_with("socks5"),
                "no other scheme is led to");
        require(resolved.user_info.empty() || resolved.same_origin(*url) || rest.find('@') != rest.npos,
                "user info does not go to another origin");
    } catch (const InvalidArgumentError&) {
    }
    url->add_query(first, rest);
    check(*url);
    return 0;
}
