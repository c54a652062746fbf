#pragma once

// From a public method to the coroutine that does its work:
//
//     template <class Mode>
//     auto BasicRefs<Mode>::list_repo_refs(std::string_view repo_id, ListRepoRefsOptions options) const ->
//     Result<GitRefs> {
//         return call<Mode>(*this, hub::list_repo_refs, repo_id, options);
//     }
//
// with awaitable<GitRefs> hub::list_repo_refs(Client, std::string repo_id, Owned<ListRepoRefsOptions>).

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/mode.hpp>

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace hfhub {

namespace detail {
template <class T>
inline constexpr bool is_view = std::is_same_v<T, std::string_view> || std::is_same_v<T, Token> ||
                                std::is_same_v<T, StringList> || std::is_reference_v<T>;
}

/// Copies the arguments into what the coroutine owns, and runs it as the mode says. Its deadline counts from here.
template <class Mode, class Result, class... Params, class... Args>
typename Mode::template result<Result> call(const ApiHandle& api, awaitable<Result> (*work)(hub::Client, Params...),
                                            const Args&... args) {
    static_assert(!(detail::is_view<Params> || ...), "the coroutine outlives the call: let it own its parameters");
    hub::Client client = api.client().begin_call();
    awaitable<Result> operation = work(std::move(client), Params(args)...);
    return Mode::template run<Result>(api.session(), std::move(operation), api.stop());
}

}  // namespace hfhub
