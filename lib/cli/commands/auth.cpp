#include "cli/commands/commands.hpp"
#include "core/log.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <CLI/CLI.hpp>

#include <iostream>

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

}  // namespace

void add_auth(CLI::App& app, Context& context) {
    CLI::App* group = app.add_subcommand("auth", "Who you are on the Hub.");
    group->require_subcommand(1);
    CLI::App* whoami = group->add_subcommand("whoami", "Print whose token is used.");
    add_common_options(*whoami, context);
    whoami->callback([&context] { context.run = [&context] { return print_whoami(context); }; });
}

}  // namespace hfhub::cli
