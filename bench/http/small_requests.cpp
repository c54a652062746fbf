// Small requests over HTTP/2 and TLS through the public clients: what one request costs in CPU time.
//   small-requests MODE URL CA COUNT CONCURRENCY   with MODE: coroutine (on the caller's executor), hop (the session
//   has a thread of its own), blocking. Prints: requests wall-seconds cpu-seconds
#include <hfhub/http_client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace hfhub;

namespace {

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec * 1e-6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Work {
    std::string url;
    long left = 0;
    long failed = 0;
};

awaitable<void> lane(const AsyncHttpClient& client, Work& work) {
    while (work.left-- > 0) {
        const HttpResponse response = co_await client.get(work.url);
        if (response.status != 200 || response.body.empty() || response.headers.empty()) ++work.failed;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    const std::string mode = argv[1];
    const long count = std::atol(argv[4]);
    const long concurrency = std::atol(argv[5]);
    SessionOptions options;
    options.environment.ssl_cert_file = argv[3];
    asio::io_context context(1);
    const Session session = mode == "coroutine" ? Session(context.get_executor(), options) : Session(options);
    Work work{argv[2], 1};
    const auto run = [&](long requests) {
        work.left = requests;
        if (mode == "blocking") {
            const HttpClient client(session);
            while (work.left-- > 0) {
                if (client.get(work.url).status != 200) ++work.failed;
            }
            return;
        }
        const AsyncHttpClient client(session);
        long running = 0;
        for (long i = 0; i < concurrency; ++i) {
            ++running;
            asio::co_spawn(context, lane(client, work), [&](std::exception_ptr error) {
                if (error) ++work.failed;
                // A session on this executor keeps its idle connections in wait: the loop is ended by hand.
                if (--running == 0) context.stop();
            });
        }
        context.restart();
        context.run();
    };
    run(10);  // the connection and its TLS handshake are another bench's
    const double cpu = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    run(count);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    std::printf("%ld %.6f %.6f\n", count, wall.count(), cpu_seconds() - cpu);
    if (work.failed > 0) std::fprintf(stderr, "%ld requests failed\n", work.failed);
    return work.failed > 0 ? 1 : 0;
}
