#include "http/proxy.hpp"

#include "http/proxy_rules.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace hfhub::http {

namespace {

constexpr std::size_t max_connect_answer = 64 * 1024;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string proxy_name(const Url& proxy) { return "proxy " + proxy.host_port(); }

// One byte more than the answer would belong to the tunnel, so heads are read byte-exact: a proxy sends its answer in
// one piece and nothing after it, because the client speaks first in TLS.
awaitable<void> read_exactly(StreamWait& readiness, Stream& stream, std::string& out, std::size_t size, Limit limit) {
    out.resize(size);
    std::size_t got = 0;
    while (got < size) {
        const IoResult result = stream.try_read(std::as_writable_bytes(std::span(out)).subspan(got));
        got += result.bytes;
        if (result.state == IoState::eof) throw ProxyError("the proxy closed the connection");
        if (result.state != IoState::done) co_await readiness.wait(result.state, limit);
    }
}

const char* socks_reason(unsigned char code) {
    static constexpr std::array reasons = {"succeeded",           "general failure",     "not allowed by its rules",
                                           "network unreachable", "host unreachable",    "connection refused",
                                           "TTL expired",         "command unsupported", "address type unsupported"};
    return code < reasons.size() ? reasons[code] : "unknown error";
}

std::string socks_address(const std::string& address) {
    std::array<char, 16> raw{};
    if (::inet_pton(AF_INET, address.c_str(), raw.data()) == 1) return '\x01' + std::string(raw.data(), 4);
    if (::inet_pton(AF_INET6, address.c_str(), raw.data()) == 1) return '\x04' + std::string(raw.data(), 16);
    if (address.size() > 255) throw ProxyError("the host name is too long for SOCKS5: " + address);
    return '\x03' + std::string(1, static_cast<char>(address.size())) + address;
}

}  // namespace

ProxyError proxy_refusal(const std::string& refused, int status) {
    std::string text = refused + " with status " + std::to_string(status);
    // Some proxies, such as tinyproxy, answer a wrong password with the status of servers.
    const bool login = status == 407 || status == 401;
    if (login) text += "; give the proxy's user and password in the proxy URL (http://user:password@host:port)";
    ProxyError error(text);
    error.status = status;
    error.permanent = login || status == 403;
    return error;
}

std::string connect_request(const Url& proxy, const Url& target) {
    std::string text = "CONNECT " + target.host_port() + " HTTP/1.1\r\nHost: " + target.host_port() + "\r\n";
    if (!proxy.user_info.empty()) text += "Proxy-Authorization: " + basic_credentials(proxy) + "\r\n";
    return text + "\r\n";
}

int connect_status(std::string_view head) {
    int status = 0;
    if (head.size() >= 12 && head.starts_with("HTTP/1.") && head[8] == ' ') {
        std::from_chars(head.data() + 9, head.data() + 12, status);
    }
    if (status < 100) throw ProxyError("the proxy did not answer CONNECT with HTTP");
    return status;
}

awaitable<void> connect_through_http(Waits& waits, Stream& stream, const Url& proxy, const Url& target, Limit limit) {
    StreamWait readiness(waits, stream);
    const std::string request = connect_request(proxy, target);
    co_await readiness.write_all(bytes_of(request), limit.length, limit.at);
    std::string head;
    std::string byte;
    while (!head.ends_with("\r\n\r\n")) {
        co_await read_exactly(readiness, stream, byte, 1, limit);
        head += byte;
        if (head.size() > max_connect_answer)
            throw ProxyError(proxy_name(proxy) + " sent an endless answer to CONNECT");
    }
    const int status = connect_status(head);
    if (status >= 200 && status < 300) co_return;
    throw proxy_refusal(proxy_name(proxy) + " refused a tunnel to " + target.host_port(), status);
}

awaitable<void> connect_through_socks5(Waits& waits, Stream& stream, const Url& proxy, const std::string& address,
                                       std::uint16_t port, Limit limit) {
    StreamWait readiness(waits, stream);
    const Login login = login_of(proxy);
    const std::string &user = login.user, &password = login.password;
    const bool with_password = !user.empty() && user.size() < 256 && password.size() < 256;
    const std::string greeting = with_password ? std::string("\x05\x02\x00\x02", 4) : std::string("\x05\x01\x00", 3);
    co_await readiness.write_all(bytes_of(greeting), limit.length, limit.at);
    std::string answer;
    co_await read_exactly(readiness, stream, answer, 2, limit);
    if (answer[0] != '\x05') throw ProxyError(proxy_name(proxy) + " does not speak SOCKS5");
    if (answer[1] == '\x02' && with_password) {
        const std::string login = '\x01' + std::string(1, static_cast<char>(user.size())) + user +
                                  std::string(1, static_cast<char>(password.size())) + password;
        co_await readiness.write_all(bytes_of(login), limit.length, limit.at);
        co_await read_exactly(readiness, stream, answer, 2, limit);
    }
    if (answer[1] != '\x00') {
        ProxyError error(proxy_name(proxy) + " refused the login; give user and password in the proxy URL");
        error.permanent = true;
        throw error;
    }
    const std::string request = std::string("\x05\x01\x00", 3) + socks_address(address) + static_cast<char>(port >> 8) +
                                static_cast<char>(port & 0xff);
    co_await readiness.write_all(bytes_of(request), limit.length, limit.at);
    co_await read_exactly(readiness, stream, answer, 4, limit);
    const auto code = static_cast<unsigned char>(answer[1]);
    if (code != 0) throw SocksUnreachableError(proxy, address, socks_reason(code));
    std::size_t rest = 2;  // the port
    if (answer[3] == '\x01') rest += 4;
    if (answer[3] == '\x04') rest += 16;
    if (answer[3] == '\x03') {
        co_await read_exactly(readiness, stream, answer, 1, limit);
        rest += static_cast<unsigned char>(answer[0]);
    }
    co_await read_exactly(readiness, stream, answer, rest, limit);
}

}  // namespace hfhub::http
