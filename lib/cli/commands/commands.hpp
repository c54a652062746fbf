#pragma once

#include "cli/output.hpp"

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace hfhub::cli {

/// What a command has to work with. `run` is what the chosen command does; it returns the exit status.
struct Context {
    Output output;
    std::string token;
    bool trace = false;
    std::function<int()> run;
};

/// Adds --token, --format, --json, --quiet and --trace.
void add_common_options(CLI::App& command, Context& context);

// One file per group of commands; each adds its commands to the application.
void add_auth(CLI::App& app, Context& context);
void add_download(CLI::App& app, Context& context);
void add_env(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

}  // namespace hfhub::cli
