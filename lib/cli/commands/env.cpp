#include "cli/commands/commands.hpp"
#include "core/log.hpp"
#include "core/token.hpp"
#include "http/user_agent.hpp"

#include <hfhub/environment.hpp>

#include <CLI/CLI.hpp>

#include <sys/utsname.h>

namespace hfhub::cli {

namespace {

std::string truth(bool value) { return value ? "True" : "False"; }

std::string platform() {
    utsname name{};
    ::uname(&name);
    return std::string(name.sysname) + "-" + name.release + "-" + name.machine;
}

int print_environment(const Context& context) {
    const Environment environment = Environment::from_process();
    const auto bars = environment.disable_progress_bars;
    const Output::Fields fields = {
        {"hfhub version", std::string(http::version())},
        {"Platform", platform()},
        {"Token path ?", environment.token_path.string()},
        {"Has saved token ?", truth(active_token(environment).has_value())},
        {"ENDPOINT", redact(environment.endpoint)},
        {"HF_HUB_CACHE", environment.hub_cache.string()},
        {"HF_ASSETS_CACHE", environment.assets_cache.string()},
        {"HF_TOKEN_PATH", environment.token_path.string()},
        {"HF_STORED_TOKENS_PATH", environment.stored_tokens_path.string()},
        {"HF_HUB_OFFLINE", truth(environment.offline)},
        {"HF_HUB_DISABLE_TELEMETRY", truth(environment.disable_telemetry)},
        {"HF_HUB_DISABLE_PROGRESS_BARS", bars ? truth(*bars) : "None"},
        {"HF_HUB_DISABLE_SYMLINKS", truth(environment.disable_symlinks)},
        {"HF_HUB_DISABLE_IMPLICIT_TOKEN", truth(environment.disable_implicit_token)},
        {"HF_HUB_DISABLE_XET", truth(environment.disable_xet)},
        {"HF_HUB_ETAG_TIMEOUT", std::to_string(environment.etag_timeout.count() / 1000)},
        {"HF_HUB_DOWNLOAD_TIMEOUT", std::to_string(environment.download_timeout.count() / 1000)},
        {"HF_XET_HIGH_PERFORMANCE", truth(environment.xet_high_performance)},
    };
    context.output.result("Copy-and-paste the text below in your issue.", fields, http::version());
    return 0;
}

}  // namespace

void add_env(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("env", "Print what hf knows of its environment.");
    add_common_options(*command, context);
    command->callback([&context] { context.run = [&context] { return print_environment(context); }; });
}

}  // namespace hfhub::cli
