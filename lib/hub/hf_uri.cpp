#include "core/url.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/hub/hf_uri.hpp>

#include <algorithm>
#include <array>

namespace hfhub {

namespace {

constexpr std::string_view scheme = "hf://";
constexpr std::array<std::string_view, 5> types = {"model", "dataset", "space", "kernel", "bucket"};
constexpr std::array<std::string_view, 3> hosts = {"huggingface.co", "hf.co", "hub-ci.huggingface.co"};
/// Pages that show files: what follows is a revision and a path.
constexpr std::array<std::string_view, 7> file_pages = {"blob", "resolve", "raw", "tree", "blame", "edit", "commits"};

[[noreturn]] void refuse(std::string_view uri, const std::string& why) {
    const std::string named = uri.empty() ? std::string() : " '" + std::string(uri) + "'";
    throw HfUriError("the address" + named + " cannot be used: " + why);
}

/// Takes the part before the next '/'.
std::string_view take_segment(std::string_view& rest) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    rest = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
    return segment;
}

/// "dataset" for "datasets"; empty for what is no type.
std::string_view type_of(std::string_view plural) {
    for (const std::string_view type : types) {
        if (plural.size() == type.size() + 1 && plural.starts_with(type) && plural.ends_with('s')) return type;
    }
    return {};
}

bool is_type(std::string_view word) { return std::find(types.begin(), types.end(), word) != types.end(); }

/// How much of a revision that stands as it is belongs together: "refs/pr/10", "refs/convert/parquet". 0: no such one.
std::size_t special_ref(std::string_view text) {
    for (const std::string_view kind : {"refs/pr/", "refs/convert/"}) {
        if (!text.starts_with(kind)) continue;
        const std::string_view name = text.substr(kind.size(), text.substr(kind.size()).find('/'));
        const bool number = name.find_first_not_of("0123456789") == name.npos;
        if (!name.empty() && (kind == "refs/convert/" || number)) return kind.size() + name.size();
    }
    return 0;
}

/// A revision at the beginning of `rest`, and what follows after its '/'.
std::string take_revision(std::string_view& rest) {
    const std::size_t whole = special_ref(rest);
    if (whole == 0) return percent_decode(take_segment(rest));
    const std::string revision(rest.substr(0, whole));
    rest.remove_prefix(std::min(whole + 1, rest.size()));
    return revision;
}

std::string written(const std::string& revision) {
    return special_ref(revision) == revision.size() ? revision : percent_encode(revision);
}

void check(const HfUri& made, std::string_view uri) {
    if (!is_type(made.type))
        refuse(uri, "'" + made.type + "' is no type: there are model, dataset, space, kernel, bucket");
    const std::size_t slash = made.id.find('/');
    const bool two = slash != made.id.npos && slash > 0 && slash + 1 < made.id.size();
    if (!two) refuse(uri, "an id is 'namespace/name', but this is '" + made.id + "'");
    try {
        hub::validate_repo_id(made.id);
    } catch (const HfValidationError& error) {
        refuse(uri, error.what());
    }
    if (made.revision && made.type == "bucket") refuse(uri, "a bucket has no revisions");
    if (made.revision && made.revision->empty()) refuse(uri, "the revision after '@' is empty");
    const std::string framed = "/" + made.path_in_repo + "/";
    if (!made.path_in_repo.empty() && framed.find("//") != framed.npos)
        refuse(uri, "the path '" + made.path_in_repo + "' has an empty part");
}

void set_path(HfUri& made, std::string_view rest) {
    if (rest.ends_with('/')) rest.remove_suffix(1);
    made.path_in_repo = rest;
}

HfUri parse_body(std::string_view uri, std::string_view rest) {
    if (rest.empty()) refuse(uri, "nothing follows hf://");
    HfUri made;
    const std::string_view first = rest.substr(0, rest.find('/'));
    if (is_type(first)) refuse(uri, "types are written in the plural: hf://" + std::string(first) + "s/…");
    if (const std::string_view type = type_of(first); !type.empty()) {
        made.type = type;
        take_segment(rest);
        if (rest.empty()) refuse(uri, "an id is missing after '" + std::string(first) + "'");
    }
    const std::string_view space = take_segment(rest);
    if (const std::size_t at = space.find('@'); at != space.npos)
        refuse(uri, at == 0 ? "an id is missing before '@'"
                            : "an id is 'namespace/name', but this is '" + std::string(space.substr(0, at)) + "'");
    std::string_view name = rest.substr(0, rest.find('/'));
    const std::size_t at = name.find('@');
    if (at == name.npos) {
        take_segment(rest);
    } else {
        name = name.substr(0, at);
        rest.remove_prefix(at + 1);
        made.revision = take_revision(rest);
    }
    made.id = name.empty() ? std::string(space) : std::string(space).append("/").append(name);
    set_path(made, rest);
    check(made, uri);
    return made;
}

/// What follows the Hub's host in an address of the web; nothing where the host is another.
std::optional<std::string_view> page_below(std::string_view uri, std::string_view endpoint) {
    while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
    if (!endpoint.empty() && uri.starts_with(endpoint) &&
        (uri.size() == endpoint.size() || uri[endpoint.size()] == '/')) {
        return uri.substr(std::min(endpoint.size() + 1, uri.size()));
    }
    for (const std::string_view prefix : {"https://", "http://"}) {
        if (!uri.starts_with(prefix)) continue;
        uri.remove_prefix(prefix.size());
        break;
    }
    const std::string_view host = take_segment(uri);
    if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) return std::nullopt;
    return uri;
}

HfUri parse_page(std::string_view uri, std::string_view page) {
    std::string_view rest = page.substr(0, page.find_first_of("?#"));
    HfUri made;
    if (const std::string_view type = type_of(rest.substr(0, rest.find('/'))); !type.empty()) {
        made.type = type;
        take_segment(rest);
    }
    const std::string space = percent_decode(take_segment(rest)), name = percent_decode(take_segment(rest));
    if (name.empty()) refuse(uri, "it is the page of no repository or bucket, which has a namespace and a name");
    made.id = space + "/" + name;
    const std::string_view shown = take_segment(rest);
    if (!shown.empty() && std::find(file_pages.begin(), file_pages.end(), shown) == file_pages.end())
        refuse(uri, "its page '" + std::string(shown) + "' shows no file or folder");
    if (made.type != "bucket" && !rest.empty()) made.revision = take_revision(rest);
    set_path(made, percent_decode(rest));
    check(made, uri);
    return made;
}

}  // namespace

HfUri parse_hf_uri(std::string_view uri, std::string_view endpoint) {
    try {
        if (uri.starts_with(scheme)) return parse_body(uri, uri.substr(scheme.size()));
        if (const auto page = page_below(uri, endpoint)) return parse_page(uri, *page);
    } catch (const HfUriError&) {
        throw;
    } catch (const InvalidArgumentError& error) {  // a broken escape
        refuse(uri, error.what());
    }
    refuse(uri, "it begins neither with hf:// nor as a page of the Hub, such as https://huggingface.co/…");
}

std::string HfUri::to_uri() const {
    check(*this, {});
    std::string uri = std::string(scheme) + type + "s/" + id;
    if (revision) uri += "@" + written(*revision);
    if (!path_in_repo.empty()) uri += "/" + path_in_repo;
    return uri;
}

std::string HfUri::to_url(std::string_view endpoint) const {
    check(*this, {});
    while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
    std::string url(endpoint);
    if (type != "model") url += "/" + type + "s";
    url += "/" + percent_encode(id, "/");
    const std::string path = percent_encode(path_in_repo, "/");
    if (type == "bucket") return path.empty() ? url : url + "/tree/" + path;
    if (!path.empty()) return url + "/blob/" + written(revision.value_or("main")) + "/" + path;
    return revision ? url + "/tree/" + written(*revision) : url;
}

HfMount parse_hf_mount(std::string_view text) {
    if (!text.starts_with(scheme)) refuse(text, "what is mounted begins with hf://");
    HfMount mount;
    std::string_view rest = text;
    for (const std::string_view flag : {":ro", ":rw"}) {
        if (!rest.ends_with(flag)) continue;
        mount.read_only = flag == ":ro";
        rest.remove_suffix(flag.size());
        break;
    }
    const std::size_t colon = rest.rfind(":/");
    if (colon == rest.npos || colon < scheme.size())
        refuse(text, "the path to mount at is missing: hf://org/name:/data");
    mount.mount_path = rest.substr(colon + 1);
    if (mount.mount_path.find_first_not_of('/') == mount.mount_path.npos)
        refuse(text, "the path to mount at is absolute and not '/' itself");
    mount.source = parse_hf_uri(rest.substr(0, colon));
    return mount;
}

}  // namespace hfhub
