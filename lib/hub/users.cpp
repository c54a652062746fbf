#include "hub/users.hpp"

#include "core/fork.hpp"
#include "hub/call.hpp"
#include "hub/mapping.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/users.hpp>

#include <map>
#include <mutex>

namespace hfhub {

json::value write_json(const WhoAmI& value) { return value.raw; }

namespace hub {

/// Answers by token; used from any thread.
class WhoAmICache {
  public:
    std::optional<WhoAmI> find(const std::string& token) const {
        const std::lock_guard lock(mutex());
        const auto it = answers_.find(token);
        return it == answers_.end() ? std::nullopt : std::optional(it->second);
    }
    void store(const std::string& token, const WhoAmI& answer) {
        const std::lock_guard lock(mutex());
        answers_[token] = answer;
    }

  private:
    // One for all: each of them is held over every fork.
    static ForkSafeMutex& mutex() {
        static auto* const all = new ForkSafeMutex;
        return *all;
    }

    std::map<std::string, WhoAmI> answers_;
};

namespace {

/// The token that is to be explained; a saved one counts even where it is not sent unasked.
std::string token_to_explain(const Client& client, Token choice) {
    const Token own = choice.kind() == Token::Kind::implicit && client.settings().token_kind == Token::Kind::anonymous
                          ? Token(false)
                          : choice;
    if (own.kind() == Token::Kind::anonymous) {
        throw InvalidArgumentError("whoami needs a token, but was called with token=false");
    }
    std::optional<std::string> token = client.token(own);
    if (!token) token = client.saved_token();
    if (token) return *token;
    throw LocalTokenNotFoundError(
        "whoami needs a token, but none was given and none is saved; set HF_TOKEN, or save one in the token file "
        "(HF_TOKEN_PATH) "
        "(tokens are made at https://huggingface.co/settings/tokens)");
}

/// What the two usual refusals mean here.
std::string explanation(const Client& client, const std::string& token, int status) {
    if (status == 429) {
        return "the Hub allows few whoami calls in a while; ask with cache=true to remember the answer";
    }
    if (client.environment().token == token) {
        return "the token of the environment variable HF_TOKEN, which goes before a saved one, is not valid";
    }
    if (client.saved_token() == token)
        return "the saved token is not valid; save a valid one in the token file (HF_TOKEN_PATH), or set HF_TOKEN";
    return "the token is not valid";
}

awaitable<WhoAmI> whoami(Client client, Owned<WhoAmIOptions> options, std::shared_ptr<WhoAmICache> cache) {
    const std::string token = token_to_explain(client, options->token);
    if (options->cache) {
        if (auto known = cache->find(token)) co_return std::move(*known);
    }
    http::Request request = client.request(http::Method::get, "/api/whoami-v2", token);
    request.retry_statuses = false;
    WhoAmI answer;
    try {
        const json::value value = co_await client.json(std::move(request));
        answer = from_json<WhoAmI>(value, "whoami");
    } catch (const HfHubHttpError& error) {
        if (error.status() != 401 && error.status() != 429) throw;
        throw HfHubHttpError(explanation(client, token, error.status()) + ": " + error.what(), error.context());
    }
    if (options->cache) cache->store(token, answer);
    co_return answer;
}

}  // namespace

awaitable<WhoAmI> owner_of(Client client, OwnedToken token) {
    Owned<WhoAmIOptions> options(WhoAmIOptions{.token = token});
    auto asking = whoami(std::move(client), std::move(options), nullptr);
    co_return co_await std::move(asking);
}

awaitable<std::string> namespace_or_own(Client client, std::string given, OwnedToken token) {
    if (!given.empty()) co_return given;
    auto asking = owner_of(std::move(client), std::move(token));
    const WhoAmI owner = co_await std::move(asking);
    co_return owner.name;
}

}  // namespace hub

template <class Mode>
BasicUsers<Mode>::BasicUsers() : cache_(std::make_shared<hub::WhoAmICache>()) {}

template <class Mode>
auto BasicUsers<Mode>::whoami(WhoAmIOptions options) const -> typename Mode::template result<WhoAmI> {
    return call<Mode>(*this, hub::whoami, options, cache_);
}

template class BasicUsers<Blocking>;
template class BasicUsers<Awaiting>;

}  // namespace hfhub
