#pragma once

// Chat completion: the OpenAI-compatible task of Inference Providers
// (https://huggingface.co/docs/inference-providers/tasks/chat-completion).

#include <hfhub/inference/inference_handle.hpp>
#include <hfhub/inference/token_stream.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// One message of a conversation. `content` is text, or an array of parts (text, image_url …).
struct ChatMessage {
    std::string role = "user";
    json::value content{};
    std::optional<std::string> name{};
    json::value tool_calls{};
    std::optional<std::string> tool_call_id{};
    json::object raw{};  ///< Sent as further members.
};
BOOST_DESCRIBE_STRUCT(ChatMessage, (), (role, content, name, tool_calls, tool_call_id))

/// A view of messages: a vector, a span, a braced list, one message, or the text of one by the user. What it looks at
/// must live until the call was made: a braced list belongs into the call.
class ChatMessages {
  public:
    ChatMessages() noexcept = default;
    ChatMessages(std::span<const ChatMessage> messages) noexcept : messages_(messages) {}
    ChatMessages(const std::vector<ChatMessage>& messages) noexcept : messages_(messages) {}
    ChatMessages(std::initializer_list<ChatMessage> messages) noexcept : messages_(messages.begin(), messages.size()) {}
    ChatMessages(const ChatMessage& message) noexcept : messages_(&message, 1) {}
    ChatMessages(std::string_view prompt) noexcept : prompt_(prompt), is_prompt_(true) {}
    ChatMessages(const char* prompt) noexcept : ChatMessages(std::string_view(prompt)) {}
    ChatMessages(const std::string& prompt) noexcept : ChatMessages(std::string_view(prompt)) {}
    std::vector<ChatMessage> copy() const;

  private:
    std::span<const ChatMessage> messages_;
    std::string_view prompt_;
    bool is_prompt_ = false;
};

/// Parameters of a chat completion; what is empty is not sent, and the model's own default holds.
struct ChatCompletionOptions {
    std::string_view model{};  ///< Where the client has none: a model's id, or the URL of a server.
    std::optional<double> frequency_penalty{};
    JsonView logit_bias{};
    std::optional<bool> logprobs{};
    std::optional<std::int64_t> max_tokens{};
    std::optional<std::int64_t> n{};
    std::optional<double> presence_penalty{};
    JsonView response_format{};  ///< {"type": "text" | "json_object" | "json_schema", …}.
    std::optional<std::int64_t> seed{};
    StringList stop{};
    JsonView stream_options{};  ///< {"include_usage": true}; only for streams.
    std::optional<double> temperature{};
    JsonView tool_choice{};  ///< "auto", "none", "required", or {"function": {"name": …}}.
    std::optional<std::string_view> tool_prompt{};
    JsonView tools{};  ///< Array of {"type": "function", "function": {…}}.
    std::optional<std::int64_t> top_logprobs{};
    std::optional<double> top_p{};
    JsonView extra_body{};  ///< Object; its members are added to the request and win over the above.
};
static_assert(std::is_trivially_destructible_v<ChatCompletionOptions>);
BOOST_DESCRIBE_STRUCT(ChatCompletionOptions, (),
                      (model, frequency_penalty, logit_bias, logprobs, max_tokens, n, presence_penalty, response_format,
                       seed, stop, stream_options, temperature, tool_choice, tool_prompt, tools, top_logprobs, top_p,
                       extra_body))

struct ChatToolCallFunction {
    json::value arguments;  ///< JSON text, or an object from some servers.
    std::optional<std::string> name;
    std::optional<std::string> description;
};
BOOST_DESCRIBE_STRUCT(ChatToolCallFunction, (), (arguments, name, description))

struct ChatToolCall {
    ChatToolCallFunction function;
    std::optional<std::string> id;
    std::optional<std::string> type;
    std::optional<std::int64_t> index;  ///< In streams: which call this part belongs to.
};
BOOST_DESCRIBE_STRUCT(ChatToolCall, (), (function, id, type, index))

/// Tool calls of a message; some servers send one as an object instead of an array.
struct ChatToolCalls : std::vector<ChatToolCall> {
    bool single_object = false;
};

struct ChatUsage {
    std::optional<std::int64_t> completion_tokens;
    std::optional<std::int64_t> prompt_tokens;
    std::optional<std::int64_t> total_tokens;
};
BOOST_DESCRIBE_STRUCT(ChatUsage, (), (completion_tokens, prompt_tokens, total_tokens))

struct ChatCompletionOutputMessage {
    std::optional<std::string> role;
    std::optional<std::string> content;
    std::optional<std::string> reasoning;
    std::optional<std::string> tool_call_id;
    std::optional<ChatToolCalls> tool_calls;
};
BOOST_DESCRIBE_STRUCT(ChatCompletionOutputMessage, (), (role, content, reasoning, tool_call_id, tool_calls))

struct ChatCompletionOutputComplete {
    std::optional<std::string> finish_reason;
    std::optional<std::int64_t> index;
    ChatCompletionOutputMessage message;
    json::value logprobs;
};
BOOST_DESCRIBE_STRUCT(ChatCompletionOutputComplete, (), (finish_reason, index, message, logprobs))

/// A whole answer.
struct ChatCompletionOutput {
    std::vector<ChatCompletionOutputComplete> choices;
    std::optional<std::int64_t> created;  ///< Seconds since 1970.
    std::optional<std::string> id;
    std::optional<std::string> model;
    std::optional<std::string> object;
    std::optional<std::string> system_fingerprint;
    std::optional<ChatUsage> usage;
    json::object raw;
};
BOOST_DESCRIBE_STRUCT(ChatCompletionOutput, (), (choices, created, id, model, object, system_fingerprint, usage))

struct ChatCompletionStreamOutputChoice {
    ChatCompletionOutputMessage delta;
    std::optional<std::int64_t> index;
    std::optional<std::string> finish_reason;
    json::value logprobs;
};
BOOST_DESCRIBE_STRUCT(ChatCompletionStreamOutputChoice, (), (delta, index, finish_reason, logprobs))

/// One event of a streamed answer.
struct ChatCompletionStreamOutput {
    std::vector<ChatCompletionStreamOutputChoice> choices;
    std::optional<std::int64_t> created;  ///< Seconds since 1970.
    std::optional<std::string> id;
    std::optional<std::string> model;
    std::optional<std::string> object;
    std::optional<std::string> system_fingerprint;
    std::optional<ChatUsage> usage;
    json::object raw;

    /// New text of the first choice; empty where this event has none.
    std::string_view text() const noexcept {
        if (choices.empty() || !choices.front().delta.content) return {};
        return *choices.front().delta.content;
    }
};
BOOST_DESCRIBE_STRUCT(ChatCompletionStreamOutput, (), (choices, created, id, model, object, system_fingerprint, usage))

template <class Mode>
using ChatStream = BasicTokenStream<Mode, ChatCompletionStreamOutput>;

template <class Mode>
class BasicChat : public virtual InferenceHandle {
  public:
    /// The model's answer to a conversation. Throws HfHubHttpError, JsonError, TransportError, InvalidArgumentError.
    typename Mode::template result<ChatCompletionOutput> chat_completion(ChatMessages messages,
                                                                         ChatCompletionOptions options = {}) const;
    /// The same, part by part as it is generated. It returns when the server has begun to answer; throws as above.
    typename Mode::template result<ChatStream<Mode>> chat_completion_stream(ChatMessages messages,
                                                                            ChatCompletionOptions options = {}) const;
};

extern template class BasicChat<Blocking>;
extern template class BasicChat<Awaiting>;
extern template class BasicTokenStream<Blocking, ChatCompletionStreamOutput>;
extern template class BasicTokenStream<Awaiting, ChatCompletionStreamOutput>;

}  // namespace hfhub
