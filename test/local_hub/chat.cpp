#include "digest.hpp"
#include "hub.hpp"
#include "token_generator.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <ctime>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

constexpr std::uint64_t shortest_answer = 8, answer_spread = 24;

struct ChatRequest {
    json::object body;
    std::string prompt;  ///< Text of the last user message: the seed.
    std::uint64_t prompt_tokens = 0;
    std::uint64_t tokens = 0;
    bool limited = false;  ///< The number of tokens was asked for.
    bool stream = false, include_usage = false;
    Pace pace;
    const json::object* tool = nullptr;  ///< The function to be called, inside body.
};

std::string text_of(const json::value& content) {
    if (content.is_string()) return std::string(content.as_string());
    std::string text;
    if (!content.is_array()) return text;
    for (const json::value& part : content.as_array()) {
        if (part.is_object()) text += string_member_or(part.as_object(), "text", "");
    }
    return text;
}

// A knob stands in the body or in the query.
std::optional<std::uint64_t> knob(const json::object& body, const Request& request, std::string_view name) {
    const json::value* value = body.if_contains(name);
    if (value != nullptr && value->is_number()) return value->to_number<std::uint64_t>();
    auto text = request.parameter(name);
    if (!text) return std::nullopt;
    return std::strtoull(std::string(*text).c_str(), nullptr, 10);
}

bool is_true(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_bool() && value->as_bool();
}

const json::object* function_of(const json::value& tool) {
    const json::value* function = tool.is_object() ? tool.as_object().if_contains("function") : nullptr;
    return function != nullptr ? function->if_object() : nullptr;
}

// The function that tool_choice names, or the first one for "auto" and "required".
const json::object* chosen_tool(const json::object& body) {
    const json::value* tools = body.if_contains("tools");
    const json::value* choice = body.if_contains("tool_choice");
    if (tools == nullptr || !tools->is_array() || tools->as_array().empty() || choice == nullptr) return nullptr;
    if (choice->is_null() || (choice->is_string() && choice->as_string() == "none")) return nullptr;
    const json::object* named = function_of(*choice);
    for (const json::value& tool : tools->as_array()) {
        const json::object* function = function_of(tool);
        if (function == nullptr) continue;
        if (named == nullptr || string_member_or(*named, "name", "") == string_member_or(*function, "name", "")) {
            return function;
        }
    }
    throw bad_request("tool_choice names no function of tools");
}

json::value argument_for(const json::object& schema, TokenGenerator& generator) {
    if (const auto* choices = schema.if_contains("enum"); choices != nullptr && choices->is_array()) {
        if (!choices->as_array().empty()) return choices->as_array()[0];
    }
    std::string type = string_member_or(schema, "type", "string");
    if (type == "integer" || type == "number") return 7;
    if (type == "boolean") return true;
    if (type == "array") return json::array();
    if (type == "object") return json::object();
    std::string_view word = generator.next();
    return json::value(word.substr(word.starts_with(' ') ? 1 : 0));
}

std::string arguments_for(const json::object& function, const std::string& prompt) {
    TokenGenerator generator(prompt);
    json::object arguments;
    const json::value* parameters = function.if_contains("parameters");
    const json::object* schema = parameters != nullptr ? parameters->if_object() : nullptr;
    const json::value* properties = schema != nullptr ? schema->if_contains("properties") : nullptr;
    if (properties != nullptr && properties->is_object()) {
        for (const auto& property : properties->as_object()) {
            if (property.value().is_object()) {
                arguments[property.key()] = argument_for(property.value().as_object(), generator);
            }
        }
    }
    return json::serialize(arguments);
}

ChatRequest read_request(const Request& request) {
    ChatRequest chat;
    json::error_code error;
    json::value body = json::parse(request.body, error);
    if (error || !body.is_object()) throw bad_request("The body is no JSON object");
    chat.body = std::move(body.as_object());
    const json::value* messages = chat.body.if_contains("messages");
    if (messages == nullptr || !messages->is_array() || messages->as_array().empty()) {
        throw HubError(422, "", "Input validation error: `messages` must not be empty");
    }
    for (const json::value& item : messages->as_array()) {
        if (!item.is_object()) throw HubError(422, "", "Input validation error: a message is no object");
        const json::object& message = item.as_object();
        std::string text = message.contains("content") ? text_of(message.at("content")) : "";
        chat.prompt_tokens += 1 + static_cast<std::uint64_t>(std::count(text.begin(), text.end(), ' '));
        if (string_member_or(message, "role", "") == "user") chat.prompt = text;
    }
    auto wanted = knob(chat.body, request, "x_tokens");
    if (!wanted) wanted = knob(chat.body, request, "max_completion_tokens");
    if (!wanted) wanted = knob(chat.body, request, "max_tokens");
    chat.limited = wanted.has_value();
    auto spread = static_cast<unsigned char>(sha1_hex(chat.prompt)[0]) % answer_spread;
    chat.tokens = wanted.value_or(shortest_answer + spread);
    chat.pace.delay = std::chrono::microseconds(knob(chat.body, request, "x_delay_us").value_or(0));
    chat.pace.batch = knob(chat.body, request, "x_batch").value_or(0);
    chat.stream = is_true(chat.body, "stream");
    const json::value* options = chat.body.if_contains("stream_options");
    chat.include_usage = options != nullptr && options->is_object() && is_true(options->as_object(), "include_usage");
    chat.tool = chosen_tool(chat.body);
    return chat;
}

json::object usage_of(const ChatRequest& chat) {
    return {{"prompt_tokens", chat.prompt_tokens},
            {"completion_tokens", chat.tokens},
            {"total_tokens", chat.prompt_tokens + chat.tokens}};
}

json::object envelope(const ChatRequest& chat, const char* object) {
    return {{"id", "chatcmpl-" + sha1_hex(chat.prompt).substr(0, 12)},
            {"object", object},
            {"created", std::time(nullptr)},
            {"model", string_member_or(chat.body, "model", "local")},
            {"system_fingerprint", "local-hub"}};
}

std::string event_of(const json::object& chunk) { return "data: " + json::serialize(chunk) + "\n\n"; }

std::string chunk_event(const ChatRequest& chat, json::object delta, json::value finish_reason) {
    json::object chunk = envelope(chat, "chat.completion.chunk");
    json::object choice{
        {"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", std::move(finish_reason)}};
    chunk["choices"] = json::array{std::move(choice)};
    return event_of(chunk);
}

std::string closing_events(const ChatRequest& chat, const char* reason) {
    std::string text = chunk_event(chat, {{"role", "assistant"}, {"content", ""}}, reason);
    if (chat.include_usage) {
        json::object chunk = envelope(chat, "chat.completion.chunk");
        chunk["choices"] = json::array();
        chunk["usage"] = usage_of(chat);
        text += event_of(chunk);
    }
    return text + "data: [DONE]\n\n";
}

json::object tool_call(const json::value& name, const std::string& arguments) {
    return {
        {"index", 0}, {"id", "call_0"}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
}

Response event_stream() {
    Response response;
    response.with("content-type", "text/event-stream").with("cache-control", "no-cache");
    return response;
}

Response stream_tool_call(const ChatRequest& chat) {
    std::string arguments = arguments_for(*chat.tool, chat.prompt);
    Response response = event_stream();
    auto piece = [&](const json::value& name, const std::string& text) {
        json::array calls{tool_call(name, text)};
        response.content += chunk_event(chat, {{"role", "assistant"}, {"tool_calls", std::move(calls)}}, nullptr);
    };
    piece(chat.tool->at("name"), "");
    std::size_t half = arguments.size() / 2;
    while (half < arguments.size() && (arguments[half] & 0xC0) == 0x80) ++half;  // not within a character
    piece(nullptr, arguments.substr(0, half));
    piece(nullptr, arguments.substr(half));
    response.content += closing_events(chat, "tool_calls");
    return response;
}

Response stream_text(const ChatRequest& chat, Statistics& statistics) {
    // The event of a token is the same text around another word, rendered once.
    std::string event = chunk_event(chat, {{"role", "assistant"}, {"content", "@@"}}, nullptr);
    std::size_t mark = event.find("\"@@\"") + 1;
    Response response = event_stream();
    response.source = std::make_unique<TokenSource>(chat.prompt, chat.tokens, chat.pace, event.substr(0, mark),
                                                    event.substr(mark + 2),
                                                    closing_events(chat, chat.limited ? "length" : "stop"), statistics);
    return response;
}

Response whole_answer(const ChatRequest& chat, Statistics& statistics) {
    json::object message{{"role", "assistant"}};
    const char* reason = chat.limited ? "length" : "stop";
    if (chat.tool != nullptr) {
        message["content"] = nullptr;
        message["tool_calls"] = json::array{tool_call(chat.tool->at("name"), arguments_for(*chat.tool, chat.prompt))};
        reason = "tool_calls";
    } else {
        TokenGenerator generator(chat.prompt);
        std::string text;
        for (std::uint64_t i = 0; i < chat.tokens; ++i) text += generator.next();
        statistics.tokens_generated += chat.tokens;
        message["content"] = text;
    }
    json::object answer = envelope(chat, "chat.completion");
    json::object choice{
        {"index", 0}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", reason}};
    answer["choices"] = json::array{std::move(choice)};
    answer["usage"] = usage_of(chat);
    Response response = json_of(answer);
    response.delay = std::chrono::ceil<std::chrono::milliseconds>(chat.pace.delay * chat.tokens);
    return response;
}

}  // namespace

Response chat_completion(Hub& hub, const Request& request) {
    if (request.method != "POST") throw HubError(405, "", "Method Not Allowed");
    account_of(request);
    ChatRequest chat = read_request(request);
    if (!chat.stream) return whole_answer(chat, hub.statistics);
    return chat.tool != nullptr ? stream_tool_call(chat) : stream_text(chat, hub.statistics);
}

}  // namespace hfhub::local_hub
