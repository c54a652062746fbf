#pragma once

// Who a token belongs to.

#include <hfhub/datetime.hpp>
#include <hfhub/hub/api_handle.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>

#include <boost/describe/class.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace hfhub {

/// An organization of the token's owner.
struct WhoAmIOrg {
    std::string name;
    std::optional<std::string> type, id, fullname, email, avatar_url, plan;
    std::optional<std::string> role_in_org;  ///< "admin", "write", "contributor" or "read".
    std::optional<bool> can_pay, is_enterprise;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(WhoAmIOrg, (),
                      (name, type, id, fullname, email, avatar_url, plan, role_in_org, can_pay, is_enterprise))

/// What is known of an access token.
struct AccessTokenInfo {
    std::optional<std::string> display_name;
    std::optional<std::string> role;  ///< "read", "write" or "fineGrained".
    std::optional<Datetime> created_at;
    json::object raw;  ///< All other fields, such as the rights of a fine-grained token.
};
BOOST_DESCRIBE_STRUCT(AccessTokenInfo, (), (display_name, role, created_at))

/// How the request was authenticated.
struct WhoAmIAuth {
    std::optional<std::string> type;
    std::optional<AccessTokenInfo> access_token;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(WhoAmIAuth, (), (type, access_token))

/// The owner of a token: a user, or an organization.
struct WhoAmI {
    std::string name;
    std::optional<std::string> type, id, fullname, email, avatar_url;
    std::optional<bool> email_verified, is_pro, can_pay;
    std::vector<WhoAmIOrg> orgs;
    std::optional<WhoAmIAuth> auth;
    json::object raw;  ///< The whole answer.
};
BOOST_DESCRIBE_STRUCT(WhoAmI, (),
                      (name, type, id, fullname, email, avatar_url, email_verified, is_pro, can_pay, orgs, auth, raw))

struct WhoAmIOptions {
    Token token{};
    bool cache = false;  ///< Answers from memory where this object has asked for that token before.
};
static_assert(std::is_trivially_destructible_v<WhoAmIOptions>);
BOOST_DESCRIBE_STRUCT(WhoAmIOptions, (), (token, cache))

namespace hub {
class WhoAmICache;
}

template <class Mode>
class BasicUsers : public virtual ApiHandle {
  public:
    BasicUsers();

    /// The owner of the token. The Hub allows few of these calls. Throws LocalTokenNotFoundError where there is no
    /// token, InvalidArgumentError for token=false, HfHubHttpError.
    typename Mode::template result<WhoAmI> whoami(WhoAmIOptions options = {}) const;

  private:
    std::shared_ptr<hub::WhoAmICache> cache_;  // of the object and its copies
};

extern template class BasicUsers<Blocking>;
extern template class BasicUsers<Awaiting>;

}  // namespace hfhub
