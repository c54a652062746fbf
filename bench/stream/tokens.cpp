// Streamed tokens: how many a client parses into structs in a second, and what a stream costs in memory.
//   stream-tokens BASE_URL CA STREAMS TOKENS_PER_STREAM [hold]
// Prints: tokens wall-seconds cpu-seconds rss-bytes-per-stream (measured when all streams are open, with `hold`).
#include <hfhub/inference/client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace hfhub;

namespace {

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec * 1e-6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    long size = 0, resident = 0;
    statm >> size >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
}

struct Work {
    json::value extra;
    long tokens = 0, bytes = 0, failed = 0, open = 0, peak = 0;
};

awaitable<void> consume(const AsyncInferenceClient& client, Work& work) {
    ChatCompletionOptions options;
    options.model = "bench";
    options.extra_body = work.extra;
    auto opening = client.chat_completion_stream("Go on.", options);
    auto stream = co_await std::move(opening);
    ++work.open;
    for (;;) {
        const auto event = co_await stream.next();
        if (!event) break;
        ++work.tokens;
        work.bytes += static_cast<long>(event->text().size());
        if (work.open > work.peak) work.peak = work.open;
    }
    --work.open;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    const long streams = std::atol(argv[3]);
    const bool hold = argc > 5;
    SessionOptions options;
    options.environment.ssl_cert_file = argv[2];
    options.environment.token = "hf_bench";
    asio::io_context context(1);
    const Session session(context.get_executor(), options);
    InferenceClientOptions client_options;
    client_options.base_url = argv[1];
    client_options.token = "hf_bench";
    const AsyncInferenceClient client(session, client_options);
    Work work;
    const auto run = [&](long count, long tokens) {
        work.extra = json::object{{"x_tokens", tokens}, {"x_batch", hold ? 1 : 64}};
        if (hold) work.extra.get_object()["x_delay_us"] = 100'000;
        long running = count;
        for (long i = 0; i < count; ++i) {
            asio::co_spawn(context, consume(client, work), [&](std::exception_ptr error) {
                if (error) {
                    ++work.failed;
                    try {
                        std::rethrow_exception(error);
                    } catch (const std::exception& one) {
                        std::fprintf(stderr, "%s\n", one.what());
                    }
                }
                if (--running == 0) context.stop();
            });
        }
        context.restart();
        long peak = 0;
        asio::steady_timer timer(context, std::chrono::milliseconds(1500));
        if (hold) timer.async_wait([&](boost::system::error_code) { peak = resident_bytes(); });
        context.run();
        return peak;
    };
    run(1, 10);
    work.tokens = 0;
    const long before = resident_bytes();
    const double cpu = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    const long peak = run(streams, std::atol(argv[4]));
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    std::printf("%ld %.6f %.6f %ld\n", work.tokens, wall.count(), cpu_seconds() - cpu,
                hold ? (peak - before) / streams : 0);
    return work.failed > 0 ? 1 : 0;
}
