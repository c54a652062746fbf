#include "calls.hpp"

#include "core/atomic_file.hpp"
#include "fault_server.hpp"
#include "support/loop.hpp"

#include <hfhub/http_client.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/inference/client.hpp>

#include <optional>
#include <string_view>

namespace hfhub::test {

namespace {

using namespace std::chrono_literals;

SessionOptions options_of(const CallPlan& plan) {
    SessionOptions options(Environment::from([&](std::string_view name) -> std::optional<std::string> {
        if (name == "HOME" || name == "HF_HOME") return plan.folder.string();
        if (name == "HF_ENDPOINT") return plan.server;
        if (name == "HF_TOKEN") return secret_token;
        if (name == "SSL_CERT_FILE") return plan.authority.string();
        if (name == "HTTPS_PROXY" && !plan.proxy.empty()) return plan.proxy;
        return std::nullopt;
    }));
    if (plan.cell.wire == Wire::h2c) options.http_version = HttpVersion::http2_prior_knowledge;
    options.worker_threads = 1;
    if (plan.limit.count() > 0) {
        options.headers_timeout = options.idle_timeout = options.commit_timeout = plan.limit;
        options.connect_timeout = options.pool_timeout = 60s;
        options.backoff_base = 2ms;
        options.backoff_cap = 10ms;
    }
    return options;
}

awaitable<std::string> ask(Session session, std::string method, std::string url, std::string range) {
    const AsyncHttpClient client(session);
    std::vector<HttpHeaders::Field> fields;
    if (!range.empty()) fields.push_back({"range", range});
    const HttpRequestOptions options{.headers = fields};
    const HttpResponse response = co_await client.request(method, url, options);
    co_return response.body;
}

awaitable<std::string> chat(Session session, CallPlan plan, std::string number, std::string* text) {
    InferenceClientOptions options;
    options.api_key = secret_token;
    options.base_url = plan.server + "/" + number + "/v1";
    if (plan.limit.count() > 0) options.first_event_timeout = options.idle_timeout = plan.limit;
    const AsyncInferenceClient client(session, options);
    auto stream = co_await client.chat_completion_stream("Hi");
    for (;;) {
        const auto part = co_await stream.next();
        if (!part) break;
        *text += part->text();
    }
    co_return *text;
}

awaitable<std::string> commit(AsyncHfApi api, std::string repo) {
    const UploadSource source = UploadSource::bytes(file_content());
    const UploadSource parts = UploadSource::bytes(std::string_view(file_content()).substr(0, 2 * part_size));
    const bool large = repo.ends_with("#");
    if (large) repo.pop_back();
    const CommitOperation operation = CommitOperationAdd{"f.bin", large ? parts : source};
    const CreateCommitOptions options{.commit_message = "one file"};
    const CommitInfo info = co_await api.create_commit(repo, operation, options);
    co_return info.oid;
}

awaitable<std::string> perform(Session session, CallPlan plan, std::string* text) {
    const std::string number = "cell-" + std::to_string(plan.cell.number), repo = "x/" + number;
    const AsyncHfApi api(session);
    switch (plan.cell.kind) {
        case Kind::head:
            co_return co_await ask(session, "HEAD", plan.server + "/" + number + "/blob?token=SIGNATURE", "");
        case Kind::range:
            co_return co_await ask(session, "GET", plan.server + "/" + number + "/blob?token=SIGNATURE",
                                   "bytes=1000-40999");
        case Kind::json: {
            const ModelInfo info = co_await api.model_info(repo);
            co_return info.id;
        }
        case Kind::download: {
            const std::filesystem::path path = co_await api.hf_hub_download(repo, "f.bin");
            co_return read_file(path, 1 << 20);
        }
        case Kind::put_part:
            co_return co_await commit(api, repo + "#");
        case Kind::commit:
            co_return co_await commit(api, repo);
        case Kind::chat:
            co_return co_await chat(session, plan, number, text);
    }
    co_return std::string();
}

std::optional<TransportError> transport_error(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const TransportError& one) {
        return one;
    } catch (...) {
        return std::nullopt;
    }
}

}  // namespace

awaitable<CallResult> make_call(asio::any_io_executor executor, CallPlan plan) {
    const auto begin = std::chrono::steady_clock::now();
    const auto tries = std::make_shared<std::vector<std::string>>();
    SessionOptions options = options_of(plan);
    if (plan.cell.number % 2 == 0) {
        options.hooks.on_attempt = [tries](const AttemptTrace& trace) { tries->push_back(to_string(trace)); };
    }
    Session session(executor, std::move(options));
    CallResult result;
    std::string text;
    std::exception_ptr error;
    try {
        std::string delivered = co_await perform(session, plan, &text);
        result.delivered = std::move(delivered);
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        result.outcome = outcome_of(error);
        result.message = message_of(error);
        result.delivered = text;
        result.error = transport_error(error);
    }
    session.close();
    result.tries = *tries;
    result.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    co_return result;
}

}  // namespace hfhub::test
