#include "http/lookup.hpp"

#include "http/connect_error.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hfhub::http {

namespace {

using tcp = asio::ip::tcp;

constexpr std::chrono::seconds longest_shared{30};  // one that hangs does not hold up later ones for ever

// The resolver takes files that it cannot open for names that do not exist. It holds two at a time.
bool descriptors_are_left() {
    const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    const int other = one < 0 ? -1 : ::fcntl(one, F_DUPFD_CLOEXEC, 0);
    const bool none = other < 0 && (errno == EMFILE || errno == ENFILE);
    if (other >= 0) ::close(other);
    if (one >= 0) ::close(one);
    return !none;
}

Lookup out_of_descriptors() {
    Lookup none;
    none.out_of_descriptors = true;
    return none;
}

}  // namespace

Lookup look_up(const std::string& host, std::uint16_t port) {
    if (!descriptors_are_left()) return out_of_descriptors();
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    Lookup result;
    result.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
        tcp::endpoint endpoint;
        if (info->ai_addrlen > endpoint.capacity()) continue;
        std::memcpy(endpoint.data(), info->ai_addr, info->ai_addrlen);
        endpoint.resize(info->ai_addrlen);
        result.endpoints.push_back(endpoint);
    }
    if (list != nullptr) ::freeaddrinfo(list);
    // Whoever has taken the last descriptors since may have spoilt the answer.
    if (result.endpoints.empty() && !descriptors_are_left()) return out_of_descriptors();
    return result;
}

awaitable<Endpoints> Lookups::find(std::string host, std::uint16_t port, Limit limit) {
    const auto now = Clock::now();
    std::erase_if(under_way_, [&](const auto& one) {
        return one.second.pending.done() || now - one.second.begun > longest_shared;
    });
    auto found = under_way_.find(host);
    if (found == under_way_.end()) {
        auto work = [resolver = resolver_, host, port] { return resolver(host, port); };
        found = under_way_.emplace(host, UnderWay{workers_.start_detached(std::move(work)), now}).first;
    }
    const auto pending = found->second.pending;
    auto result = co_await workers_.result(pending, limit);
    if (result.out_of_descriptors) throw OutOfDescriptorsError(host);
    if (result.endpoints.empty()) {
        UnresolvedHostError error(host, result.error == 0 ? "no address" : ::gai_strerror(result.error));
        error.permanent = result.error == EAI_NONAME;
        throw error;
    }
    for (auto& endpoint : result.endpoints) endpoint.port(port);  // who shares a look-up may want another one
    co_return std::move(result.endpoints);
}

}  // namespace hfhub::http
