#include "cli/commands/commands.hpp"
#include "core/log.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/auth.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <CLI/CLI.hpp>

#include <termios.h>
#include <unistd.h>

#include <iostream>
#include <memory>

namespace hfhub::cli {

namespace {

int print_whoami(const Context& context) {
    const HfApi api;
    WhoAmIOptions options;
    if (!context.token.empty()) options.token = context.token;
    try {
        const WhoAmI me = api.whoami(options);
        std::string orgs;
        for (const WhoAmIOrg& org : me.orgs) orgs += (orgs.empty() ? "" : ",") + org.name;
        Output::Fields fields = {{"user", me.name}};
        if (!orgs.empty()) fields.emplace_back("orgs", orgs);
        if (api.endpoint() != "https://huggingface.co") fields.emplace_back("endpoint", redact(api.endpoint()));
        context.output.result("Logged in", fields, me.name);
        return 0;
    } catch (const LocalTokenNotFoundError&) {
        std::cerr << "Not logged in\n";
        return 1;
    }
}

/// Keeps what is typed at a terminal from being shown.
class NoEcho {
  public:
    NoEcho() {
        hidden_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        if (hidden_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;
    ~NoEcho() {
        if (hidden_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }

  private:
    termios before_{};
    bool hidden_ = false;
};

/// From the terminal, or what standard input is led to: an argument can be seen by all users of the machine.
std::string ask_for_token() {
    std::string token;
    if (::isatty(STDIN_FILENO) == 0) {
        std::getline(std::cin, token);
        return token;
    }
    const NoEcho quiet;  // before the prompt: it drops what was typed ahead
    std::cerr << "A token can be made at https://huggingface.co/settings/tokens\n"
                 "Enter your token (it is not shown): "
              << std::flush;
    std::getline(std::cin, token);
    std::cerr << "\n";
    return token;
}

constexpr std::string_view overridden =
    "Warning: the variable HF_TOKEN is set and is used in place of the saved token\n";

int log_in(const Context& context, bool force) {
    const HfApi api;
    if (context.token.empty() && !force && get_token(api.session().environment())) {
        std::cerr << "Already logged in; --force logs in again\n";
        return 0;
    }
    const LoginInfo info = login(context.token.empty() ? ask_for_token() : context.token, api);
    if (info.overridden) std::cerr << overridden;
    context.output.result("Logged in", {{"user", info.user}, {"token_name", info.token_name}}, info.user);
    return 0;
}

int log_out(const std::string& token_name) {
    if (!logout(token_name)) {
        std::cerr << "Not logged in\n";
    } else if (token_name.empty()) {
        std::cerr << "Logged out: all saved tokens are deleted\n";
    } else {
        std::cerr << "Logged out: the token '" << token_name << "' is deleted\n";
    }
    return 0;
}

int switch_token(const std::string& token_name) {
    if (!auth_switch(token_name)) std::cerr << overridden;
    std::cerr << "The active token is now '" << token_name << "'\n";
    return 0;
}

int list_tokens(const Context& context) {
    const Environment environment = Environment::from_process();
    std::vector<std::vector<std::string>> rows;
    for (const StoredToken& token : auth_list(environment)) {
        rows.push_back({token.name, token.masked, token.active ? "*" : ""});
    }
    if (rows.empty()) {
        std::cerr << "No saved tokens\n";
    } else {
        context.output.table({"name", "token", "active"}, rows);
    }
    if (environment.token) std::cerr << "Note: the variable HF_TOKEN is set, and is the token that is used\n";
    return 0;
}

int print_token() {
    const auto token = get_token();
    if (!token) {
        std::cerr << "Not logged in; run hf auth login\n";
        return 1;
    }
    std::cout << *token << "\n";
    return 0;
}

/// --token-name, which `required` says must be given.
std::shared_ptr<std::string> add_token_name(CLI::App& command, bool required) {
    const auto name = std::make_shared<std::string>();
    command.add_option("--token-name", *name, "Name of a saved token")->required(required);
    return name;
}

}  // namespace

void add_auth(CLI::App& app, Context& context) {
    CLI::App* group = app.add_subcommand("auth", "Tokens of this machine, and who you are on the Hub.");
    group->require_subcommand(1);
    CLI::App* whoami = group->add_subcommand("whoami", "Print whose token is used.");
    add_common_options(*whoami, context);
    whoami->callback([&context] { context.run = [&context] { return print_whoami(context); }; });

    CLI::App* login = group->add_subcommand("login", "Save a token, and use it from now on.");
    add_common_options(*login, context);
    const auto force = std::make_shared<bool>(false);
    login->add_flag("--force", *force, "Also where a token is saved");
    login->callback([force, &context] { context.run = [force, &context] { return log_in(context, *force); }; });

    CLI::App* logout = group->add_subcommand("logout", "Delete a saved token, or all.");
    const auto leaving = add_token_name(*logout, false);
    logout->callback([leaving, &context] { context.run = [leaving] { return log_out(*leaving); }; });

    CLI::App* change = group->add_subcommand("switch", "Use another saved token.");
    const auto chosen = add_token_name(*change, true);
    change->callback([chosen, &context] { context.run = [chosen] { return switch_token(*chosen); }; });

    CLI::App* list = group->add_subcommand("list", "List the saved tokens.")->alias("ls");
    add_common_options(*list, context);
    list->callback([&context] { context.run = [&context] { return list_tokens(context); }; });

    CLI::App* token = group->add_subcommand("token", "Print the token that is used.");
    token->callback([&context] { context.run = print_token; });
}

}  // namespace hfhub::cli
