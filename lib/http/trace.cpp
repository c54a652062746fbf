#include <hfhub/trace.hpp>

#include <cstdio>

namespace hfhub {

namespace {

std::string milliseconds(AttemptTrace::Duration length) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(length.count()) / 1000);
    return text;
}

void add(std::string& text, std::string_view name, const std::optional<AttemptTrace::Duration>& length) {
    if (length) text.append(", ").append(name).append(" ").append(milliseconds(*length));
}

void add(std::string& text, std::string_view before, std::string_view what) {
    if (!what.empty()) text.append(before).append(what);
}

void add_connection(std::string& text, const AttemptTrace& trace) {
    add(text, ", ", trace.protocol);
    add(text, " to ", trace.remote_address);
    add(text, " through the proxy ", trace.proxy);
    if (trace.protocol.empty()) {
        if (!trace.dns) return;  // it has not come to that
        text += ", no connection (tried";
    } else {
        text += trace.reused ? " (reused" : " (new";
    }
    add(text, "DNS", trace.dns);
    add(text, "TCP", trace.connect);
    add(text, "proxy", trace.proxy_handshake);
    add(text, "TLS", trace.tls);
    add(text, ", ", trace.tls_version);
    add(text, " ", trace.tls_cipher);
    if (trace.tls_resumed) text += " resumed";
    text += ")";
}

}  // namespace

std::string to_string(const AttemptTrace& trace) {
    std::string text(trace.method);
    text.append(" ").append(trace.url).append(": ");
    text += trace.status == 0 ? "no answer" : std::to_string(trace.status);
    text += ", try " + std::to_string(trace.attempt) + "/" + std::to_string(trace.max_attempts);
    add_connection(text, trace);
    if (trace.reused) add(text, "queued", trace.queued);
    add(text, "first byte", trace.first_byte);
    add(text, "total", std::optional(trace.total));
    text +=
        ", sent " + std::to_string(trace.bytes_sent) + " B, received " + std::to_string(trace.bytes_received) + " B";
    add(text, ", id ", trace.request_id);
    if (!trace.reason.starts_with(trace.error)) add(text, "; ", trace.error);
    if (trace.wait) text += "; next try after " + std::to_string(trace.wait->count()) + " ms";
    add(text, trace.wait ? ": " : "; no further try: ", trace.reason);
    return text;
}

}  // namespace hfhub
