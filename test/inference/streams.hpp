#pragma once

// Streams of a scripted server, read in both modes.

#include "model_server.hpp"
#include "support/loop.hpp"

#include <hfhub/error.hpp>
#include <hfhub/inference/client.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <string>
#include <utility>

namespace hfhub::test {

inline constexpr int all = 1 << 30;

inline SessionOptions options_for(bool http2) {
    SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
    if (http2) options.http_version = HttpVersion::http2_prior_knowledge;
    return options;
}

/// A stream's texts, and how it ended.
struct Taken {
    std::string text;
    std::string outcome = "ok";
    std::exception_ptr error;
};

inline Taken ended(Taken taken, std::exception_ptr error) {
    taken.error = error;
    taken.outcome = outcome_of(error);
    return taken;
}

inline Taken take(const InferenceClient& client, int count) {
    Taken taken;
    try {
        auto stream = client.chat_completion_stream("Hi");
        while (count-- > 0) {
            const auto part = stream.next();
            if (!part) break;
            taken.text += part->text();
        }
    } catch (...) {
        return ended(std::move(taken), std::current_exception());
    }
    return taken;
}

inline awaitable<void> take_async(const AsyncInferenceClient& client, int count, Taken& taken) {
    std::exception_ptr error;
    try {
        ChatStream<Awaiting> stream = co_await client.chat_completion_stream("Hi");
        while (count-- > 0) {
            const auto part = co_await stream.next();
            if (!part) break;
            taken.text += part->text();
        }
    } catch (...) {
        error = std::current_exception();
    }
    taken = ended(std::move(taken), error);
}

/// One session with a client of each mode.
struct Fixture {
    Fixture(const ModelServer& server, bool http2, InferenceClientOptions options = {})
        : session(options_for(http2)), client_options(std::move(options)) {
        client_options.base_url = server.base_url();
    }

    InferenceClient blocking() const { return {session, client_options}; }
    AsyncInferenceClient coroutines() const { return {session, client_options}; }

    Taken taken(bool async, int count = all) {
        if (!async) return take(blocking(), count);
        Taken result;
        const AsyncInferenceClient client = coroutines();
        loop.run(take_async(client, count, result));
        return result;
    }

    Loop loop;
    Session session;
    InferenceClientOptions client_options;
};

/// Runs it for both protocols and both modes.
template <class Test>
void everywhere(Test test) {
    for (const bool http2 : {false, true}) {
        for (const bool async : {false, true}) {
            CAPTURE(http2);
            CAPTURE(async);
            test(http2, async);
        }
    }
}

/// Some events, and then nothing.
inline Script hanging(int events) {
    Script script = letters(26);
    script.steps.resize(static_cast<std::size_t>(events));
    script.end = Script::End::never;
    return script;
}

}  // namespace hfhub::test
