#include "cli/commands/commands.hpp"
#include "cli/progress_bar.hpp"
#include "http/user_agent.hpp"

#include <hfhub/environment.hpp>
#include <hfhub/error.hpp>
#include <hfhub/log.hpp>
#include <hfhub/session.hpp>

#include <CLI/CLI.hpp>

#include <iostream>

namespace hfhub::cli {

void add_common_options(CLI::App& command, Context& context) {
    command.add_option("--token", context.token, "Token; the saved one where it is not given");
    static const std::map<std::string, Format> formats = {
        {"auto", Format::human}, {"human", Format::human}, {"json", Format::json}, {"quiet", Format::quiet}};
    command.add_option("--format", context.output.format, "auto, human, json or quiet")
        ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case));
    command.add_flag_callback(
        "--json", [&context] { context.output.format = Format::json; }, "The same as --format json");
    command.add_flag_callback(
        "-q,--quiet", [&context] { context.output.format = Format::quiet; }, "The same as --format quiet");
    command.add_flag("--trace", context.trace, "Show each try of each request on standard error, without secrets");
}

namespace {

constexpr int usage_error = 2;

void print_log(LogLevel level, std::string_view text) {
    const std::string_view prefix = level == LogLevel::warning ? "Warning: "
                                    : level == LogLevel::error ? "Error: "
                                                               : "";
    leave_progress_line();
    std::cerr << std::string(prefix).append(text) + "\n";
}

/// For the sessions that are made from here on.
void trace_requests() {
    set_client_factory([] {
        SessionOptions options;
        options.hooks.on_attempt = [](const AttemptTrace& trace) {
            leave_progress_line();
            std::cerr << "* " + to_string(trace) + "\n";
        };
        return Session(std::move(options));
    });
}

int run(int argc, char** argv) {
    CLI::App app("Hugging Face Hub at the terminal", "hf");
    app.require_subcommand(1);
    app.set_version_flag("-v,--version", std::string(http::version()));
    Context context;
    add_auth(app, context);
    add_download(app, context);
    add_env(app, context);
    add_version(app, context);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : usage_error;
    }
    try {
        set_log_sink(print_log);
        set_log_level(Environment::from_process().verbosity);
        if (context.trace) trace_requests();
        return context.run();
    } catch (const std::exception& error) {
        std::cout.flush();
        std::cerr << "Error: " << error.what() << "\n";
        return 1;
    }
}

}  // namespace

}  // namespace hfhub::cli

int main(int argc, char** argv) { return hfhub::cli::run(argc, argv); }
