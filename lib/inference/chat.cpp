#include "core/json.hpp"
#include "hub/call.hpp"
#include "inference/chat_route.hpp"
#include "inference/mapping.hpp"
#include "inference/token_stream.hpp"

#include <hfhub/inference/chat.hpp>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>

namespace hfhub {

std::vector<ChatMessage> ChatMessages::copy() const {
    if (!is_prompt_) return {messages_.begin(), messages_.end()};
    ChatMessage message;
    message.content = json::string(prompt_);
    return std::vector<ChatMessage>(1, std::move(message));
}

namespace inference {

namespace {

using Settings = std::shared_ptr<const InferenceClientOptions>;
using Options = Owned<ChatCompletionOptions>;

template <class T>
void put(json::object& payload, std::string_view name, const std::optional<T>& value) {
    if (value) payload[name] = *value;
}

void put(json::object& payload, std::string_view name, const JsonView& value) {
    if (value) payload[name] = *value;
}

json::value response_format(const JsonView& format, const ChatRoute& route) {
    const json::object* object = format->if_object();
    const json::value* type = object == nullptr ? nullptr : object->if_contains("type");
    if (!route.schema_as_value || type == nullptr || *type != "json_schema") return *format;
    const json::value* described = object->if_contains("json_schema");
    const json::value* schema =
        described != nullptr && described->is_object() ? described->get_object().if_contains("schema") : nullptr;
    if (schema == nullptr) throw InvalidArgumentError("response_format.json_schema has no member \"schema\"");
    return json::object{{"type", "json_object"}, {"value", *schema}};
}

// The chat protocol spells members as Python does; what is null says nothing.
json::object wire_message(const ChatMessage& message) {
    const json::value whole = to_json(message);
    json::object out;
    for (const auto& [name, value] : whole.get_object()) {
        if (!value.is_null()) out.emplace(name, value);
    }
    return out;
}

json::object payload(const std::vector<ChatMessage>& messages, const ChatCompletionOptions& options,
                     const ChatRoute& route, bool stream) {
    json::object out;
    out["model"] = route.model;
    json::array& list = out["messages"].emplace_array();
    for (const ChatMessage& message : messages) list.push_back(wire_message(message));
    put(out, "frequency_penalty", options.frequency_penalty);
    put(out, "logit_bias", options.logit_bias);
    put(out, "logprobs", options.logprobs);
    put(out, "max_tokens", options.max_tokens);
    put(out, "n", options.n);
    put(out, "presence_penalty", options.presence_penalty);
    if (options.response_format) out["response_format"] = response_format(options.response_format, route);
    put(out, "seed", options.seed);
    for (const std::string_view text : options.stop) {
        if (!out.contains("stop")) out["stop"].emplace_array();
        out["stop"].get_array().emplace_back(text);
    }
    out["stream"] = stream;
    put(out, "stream_options", options.stream_options);
    put(out, "temperature", options.temperature);
    put(out, "tool_choice", options.tool_choice);
    put(out, "tool_prompt", options.tool_prompt);
    put(out, "tools", options.tools);
    put(out, "top_logprobs", options.top_logprobs);
    put(out, "top_p", options.top_p);
    if (options.extra_body) {
        if (!options.extra_body->is_object()) throw InvalidArgumentError("extra_body is no JSON object");
        for (const auto& [name, value] : options.extra_body->get_object()) {
            if (value.is_null()) {
                out.erase(name);
            } else {
                out[name] = value;
            }
        }
        if (route.model_wins) out["model"] = route.model;
    }
    return out;
}

constexpr std::size_t max_answer = 64 * 1024 * 1024;

// A token that was given to this client is meant for the server that it was pointed at; a saved one is the Hub's.
http::Request request_to(const hub::Client& client, const ChatRoute& route) {
    if (!route.named_by_user) return client.request_url(http::Method::post, route.url, {}, hub::NamedBy::library);
    const auto& given = client.settings();
    const Token token = given.token_kind == Token::Kind::given ? Token(given.token) : Token();
    return client.request_named_url(http::Method::post, route.url, token);
}

awaitable<http::Response> ask(hub::Client client, Settings settings, std::vector<ChatMessage> messages, Options options,
                              bool stream) {
    auto routing = chat_route(client, *settings, std::string(options->model));
    const ChatRoute route = co_await std::move(routing);
    http::Request request = request_to(client, route);
    request.retry_statuses = false;  // a model that is busy says so to the caller, who may choose another
    // Servers that answer at once and load their model then are as patiently waited for as those that do it before.
    request.timeouts.headers = request.timeouts.idle = settings->first_event_timeout;
    hub::set_json(request, payload(messages, *options, route, stream));
    if (!stream) request.buffered = max_answer;
    co_return co_await client.send_checked(std::move(request));
}

awaitable<ChatCompletionOutput> chat_completion(hub::Client client, Settings settings,
                                                std::vector<ChatMessage> messages, Options options) {
    const http::Response response =
        co_await ask(std::move(client), std::move(settings), std::move(messages), std::move(options), false);
    const json::value answer = parse_json(response.text, "the answer of " + response.url.redacted());
    if (!answer.is_object()) throw InvalidArgumentError("the server of " + response.url.redacted() + " sent no object");
    throw_stream_error(answer);
    co_return from_json<ChatCompletionOutput>(answer, "the chat completion");
}

using State = detail::TokenStreamState<ChatCompletionStreamOutput>;

template <class Mode>
awaitable<ChatStream<Mode>> chat_completion_stream(hub::Client client, Settings settings,
                                                   std::vector<ChatMessage> messages, Options options,
                                                   std::stop_token stop) {
    const auto session_state = client.state();
    const StreamTimeouts timeouts{settings->first_event_timeout, settings->idle_timeout};
    http::Response response =
        co_await ask(std::move(client), std::move(settings), std::move(messages), std::move(options), true);
    std::optional<Session> handle = Session::of(session_state);
    if (!handle) throw CancelledError();
    auto state = std::make_shared<State>(std::move(*handle), std::move(response), timeouts, std::move(stop));
    co_return ChatStream<Mode>(std::move(state));
}

std::optional<ChatCompletionStreamOutput> take(State& state) {
    const auto event = state.events.take();
    if (!event) {
        if (state.events.ended() && !state.events.done() && !state.complete && state.anything) {
            state.events.throw_truncated();
        }
        return std::nullopt;
    }
    state.anything = true;
    // An event is small: value, parser and struct are made without asking the heap for more than the struct's texts.
    unsigned char memory[4096], scratch[1024];
    json::monotonic_resource resource(memory, sizeof memory);
    json::parser parser({}, {}, scratch, sizeof scratch);
    parser.reset(&resource);
    boost::system::error_code error;
    parser.write(event->data(), event->size(), error);
    if (error) throw JsonError("an event of the stream is not JSON: " + error.message());
    const json::value value = parser.release();
    throw_stream_error(value);
    auto output = from_json<ChatCompletionStreamOutput>(value, "the event");
    for (const auto& choice : output.choices) state.complete |= choice.finish_reason.has_value();
    return output;
}

awaitable<void> fill(std::shared_ptr<State> state) { co_await state->events.fill(); }

awaitable<std::optional<ChatCompletionStreamOutput>> next_event(std::shared_ptr<State> state) {
    for (;;) {
        auto event = take(*state);
        if (event || state->events.ended()) co_return event;
        auto filling = Awaiting::run<void>(state->events.session(), fill(state));
        co_await std::move(filling);
    }
}

}  // namespace

}  // namespace inference

template <class Mode, class T>
typename Mode::template result<std::optional<T>> BasicTokenStream<Mode, T>::next() {
    if constexpr (std::same_as<Mode, Awaiting>) {
        return inference::next_event(state_);
    } else {
        for (;;) {
            auto event = inference::take(*state_);
            if (event || state_->events.ended()) return event;
            Mode::template run<void>(state_->events.session(), inference::fill(state_), state_->stop);
        }
    }
}

template <class Mode>
typename Mode::template result<ChatCompletionOutput> BasicChat<Mode>::chat_completion(
    ChatMessages messages, ChatCompletionOptions options) const {
    return call<Mode>(*this, inference::chat_completion, this->options_, messages.copy(), options);
}

template <class Mode>
typename Mode::template result<ChatStream<Mode>> BasicChat<Mode>::chat_completion_stream(
    ChatMessages messages, ChatCompletionOptions options) const {
    return call<Mode>(*this, inference::chat_completion_stream<Mode>, this->options_, messages.copy(), options,
                      this->stop());
}

template class BasicTokenStream<Blocking, ChatCompletionStreamOutput>;
template class BasicTokenStream<Awaiting, ChatCompletionStreamOutput>;
template class BasicChat<Blocking>;
template class BasicChat<Awaiting>;

}  // namespace hfhub
