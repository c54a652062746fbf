#include "http/happy_eyeballs.hpp"

#include "core/fork.hpp"
#include "http/connect_error.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace hfhub::http {

namespace {

using tcp = asio::ip::tcp;

constexpr std::chrono::milliseconds stagger{250};  // RFC 8305 5

bool is_out_of_descriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS; }

// Attempts that run side by side; the first to connect wins and the others are closed.
struct Race : std::enable_shared_from_this<Race> {
    struct Attempt {
        tcp::endpoint endpoint;
        std::unique_ptr<tcp::socket> socket;
        std::string failure;  // empty while nothing has come of it
    };

    explicit Race(Waits& waits) : event(waits), executor(waits.executor()) {}

    // False where it could not even begin.
    bool start(const tcp::endpoint& endpoint) {
        const std::size_t index = attempts.size();
        attempts.push_back({endpoint, nullptr, {}});
        auto socket = std::make_unique<tcp::socket>(executor);
        // A socket that a child process does not inherit.
        const int fd = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
        if (fd < 0) {
            if (is_out_of_descriptors(errno)) shortage = errno;
            attempts[index].failure = std::generic_category().message(errno);
            return false;
        }
        boost::system::error_code not_taken;
        socket->assign(endpoint.protocol(), fd, not_taken);
        if (not_taken) {
            ::close(fd);
            attempts[index].failure = not_taken.message();
            return false;
        }
        attempts[index].socket = std::move(socket);
        ++running;
        attempts[index].socket->async_connect(endpoint,
                                              [self = shared_from_this(), index](boost::system::error_code error) {
                                                  --self->running;
                                                  if (self->over) return;
                                                  if (!error && !self->winner) self->winner = index;
                                                  if (error) self->attempts[index].failure = error.message();
                                                  self->event.notify();
                                              });
        return true;
    }
    void close() {
        over = true;
        for (auto& attempt : attempts) {
            boost::system::error_code ignored;
            if (attempt.socket && made_in.is_this()) attempt.socket->close(ignored);
            // Closing it would take the parent's out of the epoll set that both share.
            if (attempt.socket && !made_in.is_this()) abandon(std::move(attempt.socket));
        }
    }
    std::string outcomes() const {
        std::string text;
        for (const Attempt& attempt : attempts) {
            if (!text.empty()) text += ", ";
            text += attempt.endpoint.address().to_string() + ": ";
            text += attempt.failure.empty() ? "no answer" : attempt.failure;
        }
        return text.empty() ? "no address" : text;
    }

    MadeInProcess made_in;
    Event event;
    asio::any_io_executor executor;
    std::vector<Attempt> attempts;
    std::optional<std::size_t> winner;
    std::size_t running = 0;
    int shortage = 0;  // how the system said that it has no room for another socket
    bool over = false;
};

struct CloseRace {
    Race& race;
    ~CloseRace() { race.close(); }
};

}  // namespace

Endpoints interleave(Endpoints endpoints) {
    if (endpoints.empty()) return endpoints;
    const bool first_is_v6 = endpoints.front().address().is_v6();
    Endpoints same, other, mixed;
    for (const auto& endpoint : endpoints) {
        (endpoint.address().is_v6() == first_is_v6 ? same : other).push_back(endpoint);
    }
    for (std::size_t i = 0; i < std::max(same.size(), other.size()); ++i) {
        if (i < same.size()) mixed.push_back(same[i]);
        if (i < other.size()) mixed.push_back(other[i]);
    }
    return mixed;
}

awaitable<tcp::socket> race_to(Waits& waits, Endpoints endpoints, std::string name, Limit limit) {
    const auto race = std::make_shared<Race>(waits);
    const CloseRace closing{*race};
    std::size_t next = 0;
    while (!race->winner) {
        if (next < endpoints.size()) {
            if (!race->start(endpoints[next++])) continue;
        } else if (race->running == 0) {
            if (race->shortage != 0) throw OutOfDescriptorsError(name, race->shortage);
            throw ConnectError("cannot connect to " + name + " (" + race->outcomes() + ")");
        }
        Limit until = limit;
        if (next < endpoints.size()) until.at = std::min(limit.at, Clock::now() + stagger);
        const Wake wake = co_await race->event.wait(until.at);
        if (wake == Wake::timeout && until.at < limit.at) continue;
        if (wake == Wake::timeout && limit.phase == TimeoutPhase::connect) {
            throw TimeoutError(limit.phase, limit.length, " to " + name + " (" + race->outcomes() + ")");
        }
        limit.check(wake);
    }
    co_return std::move(*race->attempts[*race->winner].socket);
}

}  // namespace hfhub::http
