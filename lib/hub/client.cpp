#include "hub/client.hpp"

#include "core/json.hpp"
#include "core/token.hpp"
#include "http/pipeline.hpp"
#include "http/redirect.hpp"
#include "http/session.hpp"
#include "http/status_error.hpp"
#include "http/user_agent.hpp"

#include <hfhub/error.hpp>
#include <hfhub/log.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace hfhub::hub {

namespace {

constexpr std::size_t max_error_body = 64 * 1024;
constexpr std::size_t max_json_body = 64 * 1024 * 1024;

std::string user_agent_of(const SessionOptions& options, const Client::Settings& settings) {
    std::string application = options.user_agent;
    if (!settings.library_name.empty()) {
        application = settings.library_name + "/" +
                      (settings.library_version.empty() ? "None" : settings.library_version) +
                      (application.empty() ? "" : "; " + application);
    }
    std::string text = http::user_agent(application, options.environment.user_agent_origin);
    for (const auto& [name, value] : settings.user_agent) {
        const std::string part = value.empty() ? name : name + "/" + value;
        if (("; " + text + ";").find("; " + part + ";") == std::string::npos) text += "; " + part;
    }
    return text;
}

ProtocolError downgrade(const Url& url) {
    ProtocolError error = ProtocolError::lasting(
        "the address that the Hub's answer names is not used: it leads from https to unprotected http");
    error.at(url.redacted());
    return error;
}

bool has_line_end(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos; }

}  // namespace

Client::Client(std::shared_ptr<http::SessionState> state, Settings settings) {
    if (settings.endpoint.empty()) settings.endpoint = state->options().environment.endpoint;
    while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
    (void)Url::parse(settings.endpoint);
    for (const auto& [name, value] : settings.headers) {
        if (has_line_end(name) || has_line_end(value)) {
            throw InvalidArgumentError("the header field \"" + name + "\" holds a line end or NUL");
        }
    }
    // Tokens of the Hub are known by their form; keys of other servers are not.
    if (!settings.token.empty() && !settings.token.starts_with("hf_")) register_secret(settings.token);
    std::string agent = user_agent_of(state->options(), settings);
    shared_ = std::make_shared<const Shared>(Shared{std::move(settings), std::move(agent)});
    state_ = std::move(state);
}

const SessionOptions& Client::options() const { return state_->options(); }

std::shared_ptr<const Client::Saved> Client::read_saved(const Environment& environment) {
    auto saved = std::make_shared<Saved>();
    try {
        saved->token = active_token(environment);
    } catch (...) {
        saved->error = std::current_exception();
    }
    return saved;
}

Client Client::begin_call() const {
    Client call = restarted();
    // The environment's token is in memory; a file is read here, since requests are made on the I/O thread.
    if (!environment().token) call.saved_ = read_saved(environment());
    return call;
}

Client Client::restarted() const {
    Client again = *this;
    again.state_ = http::SessionState::of_this_process(state_);
    again.deadline_ = http::Clock::time_point::max();
    return again.within(shared_->settings.timeout);
}

Client Client::within(std::chrono::milliseconds limit) const {
    Client limited = *this;
    if (limit.count() > 0) limited.deadline_ = std::min(deadline_, http::Clock::now() + limit);
    return limited;
}

std::optional<std::string> Client::token(Token choice) const {
    const Settings& own = shared_->settings;
    if (choice.kind() == Token::Kind::given) return trimmed_token(choice.text());
    if (choice.kind() == Token::Kind::anonymous) return std::nullopt;
    if (choice.kind() == Token::Kind::implicit) {
        if (own.token_kind == Token::Kind::given) return trimmed_token(own.token);
        if (own.token_kind == Token::Kind::anonymous) return std::nullopt;
    }
    const bool required = choice.kind() == Token::Kind::required || own.token_kind == Token::Kind::required;
    if (!required && environment().disable_implicit_token) return std::nullopt;
    auto saved = saved_token();
    if (!saved && required) {
        throw LocalTokenNotFoundError(
            "a token is required (token=true) but none is saved; set HF_TOKEN, or save one in the token file "
            "(HF_TOKEN_PATH)");
    }
    return saved;
}

std::optional<std::string> Client::saved_token() const {
    if (!saved_) return active_token(environment());
    if (saved_->error) std::rethrow_exception(saved_->error);
    return saved_->token;
}

http::Request Client::request(http::Method method, std::string_view path, Token token) const {
    return prepared(method, Url::parse(endpoint() + std::string(path)), token, NamedBy::library);
}

http::Request Client::request_url(http::Method method, std::string_view url, Token token, NamedBy by) const {
    return prepared(method, Url::parse(url), token, by);
}

http::Request Client::request_named_url(http::Method method, std::string_view url, Token token) const {
    return prepared(method, Url::parse(url), token, NamedBy::user);
}

http::Request Client::prepared(http::Method method, Url url, Token token, NamedBy by) const {
    const SessionOptions& options = this->options();
    http::Request request;
    request.method = method;
    request.url = std::move(url);
    request.timeouts = {options.connect_timeout, options.write_timeout, options.headers_timeout, options.idle_timeout,
                        options.pool_timeout};
    request.deadline = deadline_;
    request.headers.add("user-agent", shared_->user_agent);
    const bool named = by == NamedBy::user;
    const Url home = Url::parse(endpoint());
    if (by == NamedBy::server && is_downgrade(home, request.url)) throw downgrade(request.url);
    const bool trusted = may_have_hub_token(home, request.url, by);
    for (const auto& [name, value] : shared_->settings.headers) {
        if (trusted || named || !http::is_credential_field(name)) request.headers.set(name, value);
    }
    const bool meant_for_it = named && token.kind() == Token::Kind::given;
    if (!trusted && !meant_for_it) return request;
    if (const auto text = this->token(token); text && !request.headers.contains("authorization")) {
        if (has_line_end(*text)) throw InvalidArgumentError("the token holds a line end or NUL");
        request.headers.set("authorization", "Bearer " + *text);
    }
    return request;
}

http::Pipeline& Client::pipeline() const { return state_->pipeline(); }

http::Pool& Client::pool() const { return state_->pool(); }

http::CallWorkers Client::workers() const { return {state_->workers(), deadline_}; }

http::Waits& Client::waits() const { return state_->waits(); }

awaitable<void> Client::wait_until(http::Clock::time_point when) const {
    http::Event event(waits());
    const http::Limit limit{deadline_, TimeoutPhase::deadline};
    const http::Wake wake = co_await event.wait(std::min(when, limit.at));
    if (wake == http::Wake::timeout && when <= limit.at) co_return;
    limit.check(wake);
}

awaitable<http::Response> Client::send(http::Request request) const { return pipeline().send(std::move(request)); }

awaitable<http::Response> Client::send_checked(http::Request request) const {
    const http::Method method = request.method;
    const bool authenticated = request.headers.contains("authorization");
    const std::string range(request.headers.value("range"));
    http::Response response = co_await pipeline().send(std::move(request));
    if (response.status < 400) co_return response;
    const std::string body = co_await http::read_beginning(response.body.get(), max_error_body);
    http::raise_for_status(response.status, method, response.url, response.headers, body, response.attempts,
                           {authenticated, range, response.waited});
    co_return response;
}

awaitable<std::string> Client::text(http::Request request) const {
    request.buffered = max_json_body;
    http::Response response = co_await send_checked(std::move(request));
    co_return std::move(response.text);
}

awaitable<boost::json::value> Client::json(http::Request request) const {
    const std::string url = request.url.redacted();
    const std::string body = co_await text(std::move(request));
    co_return parse_json(body, "the answer of " + url);
}

void set_json(http::Request& request, const boost::json::value& body) {
    request.body = boost::json::serialize(body);
    request.headers.set("content-type", "application/json");
}

}  // namespace hfhub::hub
