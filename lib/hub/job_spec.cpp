#include "hub/job_spec.hpp"

#include "core/digest.hpp"
#include "core/mapping.hpp"
#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace hfhub {

JobTimeout::JobTimeout(std::string_view text) {
    constexpr std::array<std::pair<char, int>, 4> units = {{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};
    constexpr double longest = 1e15;
    std::string_view digits = text;
    int factor = 1;
    for (const auto& [unit, seconds] : units) {
        if (!text.ends_with(unit)) continue;
        factor = seconds;
        digits.remove_suffix(1);
    }
    double number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    if (!whole || !(number >= 0 && number * factor < longest)) {
        throw InvalidArgumentError(
            "a timeout of a Job is a number of seconds, or one with s, m, h or d behind it, but "
            "this is '" +
            printable(text) + "'");
    }
    seconds_ = std::chrono::seconds(static_cast<std::int64_t>(number * factor));
}

namespace hub {

namespace {

constexpr std::array<std::string_view, 4> space_prefixes = {"https://huggingface.co/spaces/", "https://hf.co/spaces/",
                                                            "huggingface.co/spaces/", "hf.co/spaces/"};
constexpr std::array<std::string_view, 5> file_endings = {".py", ".sh", ".yaml", ".yml", ".toml"};
constexpr std::size_t hash_digits = 8;

/// Of an image that is a Space's: the Space.
std::optional<std::string_view> space_of(std::string_view image) {
    for (const std::string_view prefix : space_prefixes) {
        if (image.starts_with(prefix)) return image.substr(prefix.size());
    }
    return std::nullopt;
}

/// '-' for each character that a label does not take.
std::string label_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter || c == '_' || c == '-') {
            out += c;
        } else if ((c & 0xC0) != 0x80) {  // one for each character, not for each of its bytes
            out += '-';
        }
    }
    return out;
}

std::string hash_of(std::string_view first, const std::vector<std::string>& rest) {
    Sha256 hash;
    hash.update(first);
    for (const std::string& one : rest) {
        hash.update(std::string_view("\0", 1));
        hash.update(one);
    }
    return hash.hex().substr(0, hash_digits);
}

std::string_view last_part(std::string_view path) {
    while (path.ends_with('/')) path.remove_suffix(1);
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

json::object object_or_empty(const JsonView& view, std::string_view what) {
    if (!view) return {};
    if (!view->is_object()) throw InvalidArgumentError(std::string(what) + " should be a JSON object");
    return view->get_object();
}

}  // namespace

json::object job_spec(const JobSettings& settings) {
    json::object spec;
    spec["command"] = to_wire(settings.command);
    spec["arguments"] = json::array();
    spec["environment"] = object_or_empty(settings.env, "env");
    spec["flavor"] = settings.flavor.empty() ? "cpu-basic" : settings.flavor;
    json::object secrets = object_or_empty(settings.secrets, "secrets");
    if (!secrets.empty()) spec["secrets"] = std::move(secrets);
    if (settings.timeout.seconds().count() > 0) spec["timeoutSeconds"] = settings.timeout.seconds().count();
    json::object labels = object_or_empty(settings.labels, "labels");
    if (!settings.name.empty()) {
        if (labels.contains("name")) throw InvalidArgumentError("the name is given twice: as name and in the labels");
        labels["name"] = settings.name;
    }
    if (!labels.empty()) spec["labels"] = std::move(labels);
    if (!settings.volumes.empty()) spec["volumes"] = to_wire(settings.volumes);
    if (!settings.expose.empty()) spec["expose"] = json::object{{"ports", to_wire(settings.expose)}};
    if (settings.ssh) spec["ssh"] = json::object{{"enabled", true}};
    if (!settings.resource_group_id.empty()) spec["resourceGroupId"] = settings.resource_group_id;
    const auto space = space_of(settings.image);
    spec[space ? "spaceId" : "dockerImage"] = space.value_or(settings.image);
    return spec;
}

std::string job_name(std::string_view image, const std::vector<std::string>& command) {
    const auto space = space_of(image);
    const std::string_view base = space ? *space : last_part(image);
    return label_text(base.empty() ? image : base) + "-" + hash_of(image, command);
}

std::string uv_job_name(std::string_view script, const std::vector<std::string>& arguments) {
    std::string_view base = last_part(script.substr(0, script.find_first_of("?#")));
    if (base.ends_with(".py")) base.remove_suffix(3);
    return label_text(base.empty() ? script : base) + "-" + hash_of(script, arguments);
}

std::vector<std::string> command_line(const UvCommand& uv) {
    std::vector<std::string> line = {"uv", "run"};
    for (const std::string& dependency : uv.dependencies) line.insert(line.end(), {"--with", dependency});
    if (!uv.python.empty()) line.insert(line.end(), {"--python", uv.python});
    line.push_back(uv.script);
    line.insert(line.end(), uv.arguments.begin(), uv.arguments.end());
    return line;
}

bool looks_like_file(std::string_view word) {
    if (word.starts_with("https://") || word.starts_with("http://")) return false;
    const std::string_view name = last_part(word);
    return std::any_of(file_endings.begin(), file_endings.end(),
                       [&](std::string_view ending) { return name.size() > ending.size() && name.ends_with(ending); });
}

}  // namespace hub

}  // namespace hfhub
