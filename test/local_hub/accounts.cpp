#include "digest.hpp"
#include "hub.hpp"

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

HubError invalid_credentials() { return {401, "", "Invalid credentials in Authorization header"}; }

}  // namespace

std::optional<Account> account_of(const Request& request) {
    if (!request.has_header("authorization")) return std::nullopt;
    std::string_view value = request.header("authorization");
    if (!value.starts_with("Bearer hf_")) throw invalid_credentials();
    std::string_view token = value.substr(10);
    std::size_t end = token.find('_');
    Account account{std::string(token.substr(0, end)), !token.ends_with("_read")};
    if (account.name.empty() || account.name == "invalid") throw invalid_credentials();
    return account;
}

const Account& Call::signed_in() const {
    if (!account) throw HubError(401, "", "Invalid username or password.");
    return *account;
}

void Call::require_write() const {
    const Account& who = signed_in();
    if (who.can_write && who.is_member(repository->owner)) return;
    throw HubError(403, "",
                   "Forbidden: you don't have the rights to write to this repository; pass `create_pr=1` as a query "
                   "parameter to create a Pull Request");
}

Response whoami(Call& call) {
    const Account& account = call.signed_in();
    json::object organization{{"type", "org"},        {"id", sha1_hex("acme").substr(0, 24)},
                              {"name", "acme"},       {"fullname", "Acme Labs"},
                              {"roleInOrg", "admin"}, {"isEnterprise", false}};
    json::object token{{"displayName", account.name + "-token"},
                       {"role", account.can_write ? "write" : "read"},
                       {"createdAt", "2024-01-01T00:00:00.000Z"}};
    return json_of(json::object{{"type", "user"},
                                {"id", sha1_hex(account.name).substr(0, 24)},
                                {"name", account.name},
                                {"fullname", account.name},
                                {"email", account.name + "@example.com"},
                                {"emailVerified", true},
                                {"canPay", false},
                                {"isPro", false},
                                {"avatarUrl", "/avatars/" + account.name + ".svg"},
                                {"orgs", json::array{std::move(organization)}},
                                {"auth", json::object{{"type", "access_token"}, {"accessToken", std::move(token)}}}});
}

}  // namespace hfhub::local_hub
