// The main job end to end, in both modes: upload, download, compare, chat. HF_ENDPOINT and HF_TOKEN say against which
// Hub.
//   example-demo [CHAT_BASE_URL]      without it the chat goes to the Hub's router
#include <hfhub/hfhub.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

namespace asio = boost::asio;

namespace {

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Large enough to be stored as a large file, in several parts.
std::string content() {
    std::mt19937_64 random(std::random_device{}());
    std::string bytes(30 << 20, '\0');
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
        const std::uint64_t word = random();
        bytes.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
    }
    return bytes;
}

hfhub::InferenceClientOptions chat_options(int argc, char** argv) {
    hfhub::InferenceClientOptions options;
    if (argc > 1) {
        options.base_url = argv[1];
        options.api_key = hfhub::Session().environment().token.value_or("hf_demo");
    } else {
        options.model = "meta-llama/Llama-3.1-8B-Instruct";
    }
    return options;
}

asio::awaitable<void> with_coroutines(hfhub::Session session, std::string repo, std::string expected,
                                      hfhub::InferenceClientOptions options) {
    const hfhub::AsyncHfApi api(session);
    const auto path = co_await api.hf_hub_download(repo, "data.bin", {.force_download = true});
    if (read(path) != expected) throw std::runtime_error("the file that came back differs");
    std::cout << "coroutine:  downloaded and verified " << path.filename().string() << "\ncoroutine:  " << std::flush;
    const hfhub::AsyncInferenceClient client(session, options);
    auto stream = co_await client.chat_completion_stream("Say hello to coroutines.", {.max_tokens = 20});
    while (const auto part = co_await stream.next()) std::cout << part->text() << std::flush;
    std::cout << "\n";
}

void run(int argc, char** argv) {
    const hfhub::HfApi api;
    const std::string repo = api.whoami().name + "/hfhub-demo";
    std::cout << "blocking:   " << api.create_repo(repo, {.private_ = true, .exist_ok = true}).url << "\n";
    const std::string expected = content();
    const auto bytes = hfhub::UploadSource::bytes(expected);
    std::cout << "blocking:   uploaded " << expected.size() << " bytes in commit "
              << api.upload_file(bytes, "data.bin", repo).oid << "\n";
    const auto path = api.hf_hub_download(repo, "data.bin");
    if (read(path) != expected) throw std::runtime_error("the file that came back differs");
    std::cout << "blocking:   downloaded and verified, at " << path.string() << "\nblocking:   " << std::flush;
    const auto options = chat_options(argc, argv);
    const hfhub::InferenceClient client(options);
    for (const auto& part : client.chat_completion_stream("Say hello.", {.max_tokens = 20})) {
        std::cout << part.text() << std::flush;
    }
    std::cout << "\n";

    asio::io_context context;
    hfhub::Session session(context.get_executor(), hfhub::SessionOptions());
    asio::co_spawn(context, with_coroutines(session, repo, expected, options), [&](std::exception_ptr error) {
        session.close();
        if (error) std::rethrow_exception(error);
    });
    context.run();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "demo: " << error.what() << "\n";
        return 1;
    }
}
