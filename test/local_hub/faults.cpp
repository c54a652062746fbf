#include "faults.hpp"

#include "hub_error.hpp"

#include <algorithm>
#include <charconv>

namespace hfhub::local_hub {

namespace {

std::uint64_t number_of(std::string_view text) {
    std::uint64_t value = 0;
    auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
        throw bad_request("x_fault: no number: " + std::string(text));
    }
    return value;
}

}  // namespace

Fault Fault::parse(std::string_view text) {
    Fault fault;
    while (!text.empty()) {
        std::size_t end = std::min(text.find(';'), text.size());
        std::string_view part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        std::size_t mark = std::min(part.find_first_of(":="), part.size());
        std::string_view name = part.substr(0, mark);
        std::string_view value = part.substr(std::min(mark + 1, part.size()));
        if (name == "status") {
            fault.status = static_cast<int>(number_of(value));
        } else if (name == "retry_after") {
            fault.retry_after = value;
        } else if (name == "cut") {
            fault.interruption = {Interruption::Kind::cut, number_of(value)};
        } else if (name == "reset") {
            fault.interruption = {Interruption::Kind::reset, number_of(value)};
        } else if (name == "stall") {
            fault.interruption = {Interruption::Kind::stall, number_of(value)};
        } else if (name == "delay_ms") {
            fault.delay = std::chrono::milliseconds(number_of(value));
        } else if (name == "n") {
            fault.times = number_of(value);
        } else if (name == "key") {
            fault.key = value;
        } else {
            throw bad_request("x_fault: unknown part " + std::string(part));
        }
    }
    return fault;
}

std::optional<Fault> Faults::due(std::string_view text, const std::string& default_key, bool count) {
    Fault fault = Fault::parse(text);
    if (!fault.times) return fault;
    std::uint64_t& used = used_[fault.key.empty() ? default_key : fault.key];
    if (used >= *fault.times) return std::nullopt;
    if (count) ++used;
    return fault;
}

std::optional<Fault> Faults::find(const Request& request, bool count) {
    std::string text(request.parameter("x_fault").value_or(request.header("x-local-fault")));
    std::lock_guard lock(mutex_);
    if (!text.empty()) return due(text, request.method + ' ' + request.path + ' ' + text, count);
    std::size_t number = 0;
    for (const FaultRule& rule : rules_) {
        ++number;
        bool method = rule.method.empty() || rule.method == request.method;
        if (!method || request.path.find(rule.path_part) == std::string::npos) continue;
        if (auto fault = due(rule.fault, "rule " + std::to_string(number), count)) return fault;
    }
    return std::nullopt;
}

std::optional<Fault> Faults::take(const Request& request) { return find(request, true); }
std::optional<Fault> Faults::peek(const Request& request) { return find(request, false); }

void Faults::add_rule(FaultRule rule) {
    Fault::parse(rule.fault);
    std::lock_guard lock(mutex_);
    rules_.push_back(std::move(rule));
}

void Faults::clear() {
    std::lock_guard lock(mutex_);
    rules_.clear();
    used_.clear();
}

}  // namespace hfhub::local_hub
