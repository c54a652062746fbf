// The same with coroutines, on the application's own executor: no further thread, one connection pool.
#include <hfhub/hfhub.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <iostream>

namespace asio = boost::asio;

asio::awaitable<void> work(hfhub::Session session) {
    const hfhub::AsyncHfApi api(session);
    const hfhub::ModelInfo info = co_await api.model_info("openai-community/gpt2");
    std::cout << info.id << " has " << info.likes.value_or(0) << " likes\n";

    const auto path = co_await api.hf_hub_download("openai-community/gpt2", "config.json");
    std::cout << "verified and cached at " << path.string() << "\n";

    const hfhub::InferenceClientOptions options{.model = "meta-llama/Llama-3.1-8B-Instruct"};
    const hfhub::AsyncInferenceClient client(session, options);
    auto stream = co_await client.chat_completion_stream("Why is the sky blue?", {.max_tokens = 100});
    while (const auto part = co_await stream.next()) std::cout << part->text() << std::flush;
    std::cout << "\n";  // leaving the scope early would have cancelled the generation
}

int main() {
    asio::io_context context;
    hfhub::Session session(context.get_executor(), hfhub::SessionOptions());
    asio::co_spawn(context, work(session), [&](std::exception_ptr error) {
        session.close();  // lets the loop end
        if (error) std::rethrow_exception(error);
    });
    context.run();
}
