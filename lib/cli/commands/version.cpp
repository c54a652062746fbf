#include "cli/commands/commands.hpp"
#include "http/user_agent.hpp"

#include <CLI/CLI.hpp>

namespace hfhub::cli {

void add_version(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("version", "Print the version of hf.");
    add_common_options(*command, context);
    command->callback([&context] {
        context.run = [&context] {
            const std::string version(http::version());
            context.output.result("hf version", {{"version", version}}, version);
            return 0;
        };
    });
}

}  // namespace hfhub::cli
