#include "cli/commands/commands.hpp"
#include "cli/file_choice.hpp"
#include "cli/interruption.hpp"
#include "cli/progress_bar.hpp"
#include "hub/call.hpp"
#include "hub/snapshot.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace hfhub::cli {

namespace {

struct Arguments {
    std::string repo_id, repo_type = "model", revision, cache_dir, local_dir;
    std::vector<std::string> filenames, include, exclude;
    bool force_download = false, dry_run = false;
    unsigned max_workers = 8;
};

/// What is printed in the end: a path, or in a dry run a plan.
struct Outcome {
    std::string path{};
    std::vector<DryRunFileInfo> plan{};
};

// "datasets/org/name" says the type too, as web addresses do.
void split_repo_type(Arguments& arguments, bool type_given) {
    if (std::count(arguments.repo_id.begin(), arguments.repo_id.end(), '/') != 2) return;
    for (const std::string type : {"model", "dataset", "space", "kernel"}) {
        const std::string prefix = type + "s/";
        if (!arguments.repo_id.starts_with(prefix)) continue;
        if (type_given) {
            throw CLI::ValidationError(
                "REPO_ID", "the type of the repository is given twice: by '" + prefix + "' and by --repo-type");
        }
        arguments.repo_id.erase(0, prefix.size());
        arguments.repo_type = type;
        return;
    }
}

void check(const Arguments& arguments) {
    if (!arguments.local_dir.empty() && !arguments.cache_dir.empty()) {
        throw InvalidArgumentError("--local-dir and --cache-dir exclude each other");
    }
    if (arguments.include.empty() && arguments.exclude.empty()) return;
    const std::string option = arguments.include.empty() ? "--exclude" : "--include";
    for (const std::string& name : arguments.filenames) {
        if (!name.ends_with('/')) continue;
        throw InvalidArgumentError("the folder '" + name + "' and " + option + " exclude each other; use --include '" +
                                   name + "*'");
    }
    if (!arguments.filenames.empty()) {
        std::cerr << "Warning: --include and --exclude are ignored, because files are named\n";
    }
}

HfHubDownloadOptions options_of(const Arguments& arguments, const Context& context, const ProgressBar& bar) {
    HfHubDownloadOptions options;
    options.repo_type = arguments.repo_type;
    options.revision = arguments.revision;
    options.cache_dir = arguments.cache_dir;
    options.local_dir = arguments.local_dir;
    options.force_download = arguments.force_download;
    options.progress = bar.callback();
    if (!context.token.empty()) options.token = context.token;
    return options;
}

Outcome download_one(const HfApi& api, const Arguments& arguments, const std::string& file,
                     const HfHubDownloadOptions& options) {
    Outcome outcome;
    if (arguments.dry_run) {
        outcome.plan.push_back(api.hf_hub_download_dry_run(arguments.repo_id, file, options));
    } else {
        outcome.path = api.hf_hub_download(arguments.repo_id, file, options).string();
    }
    return outcome;
}

hub::SnapshotRequest snapshot_request(const Arguments& arguments, const Context& context, const ProgressBar& bar) {
    hub::SnapshotRequest request;
    request.repo_type = arguments.repo_type;
    request.repo_id = arguments.repo_id;
    request.revision = arguments.revision;
    request.cache_dir = arguments.cache_dir;
    request.local_dir = arguments.local_dir;
    request.force_download = arguments.force_download;
    request.dry_run = arguments.dry_run;
    request.max_workers = arguments.max_workers;
    request.progress = bar.callback();
    if (!context.token.empty()) request.token = Token(context.token);
    return request;
}

/// Throws where no file fits the names and patterns, and where one is missing that cannot be fetched now.
void check(const FileChoice& choice, const Arguments& arguments, bool listed) {
    const std::string place = arguments.repo_id + (arguments.revision.empty() ? "" : " at " + arguments.revision);
    std::string missing;
    for (const std::string& name : choice.unmatched) missing += (missing.empty() ? "'" : ", '") + name + "'";
    if (!listed && (choice.files.empty() || !missing.empty())) {
        throw LocalEntryNotFoundError((missing.empty() ? "what is asked for" : missing) + " of " + place +
                                      " is not on this machine, and the Hub could not be asked for it");
    }
    if (choice.files.empty()) throw InvalidArgumentError("no file of " + place + " fits the names and patterns");
    if (!missing.empty()) std::cerr << "Warning: no file of " << place << " fits " << missing << "\n";
}

Outcome download_several(const HfApi& api, const Arguments& arguments, const Context& context, const ProgressBar& bar) {
    hub::SnapshotRequest request = snapshot_request(arguments, context, bar);
    // Written on the session's threads, one at a time, and read when they are done.
    FileChoice choice;
    request.choose = [&](const std::vector<std::string>& files) {
        choice = choose_files(files, arguments.filenames, arguments.include, arguments.exclude);
        return choice.files;
    };
    hub::Snapshot snapshot = call<Blocking>(api, hub::fetch_snapshot, request);
    check(choice, arguments, snapshot.listed);
    Outcome outcome;
    // A name that looks like a pattern.
    const bool one = arguments.filenames.size() == 1 && arguments.filenames == choice.files;
    outcome.path = (one ? snapshot.folder / choice.files.front() : snapshot.folder).string();
    outcome.plan = std::move(snapshot.plan);
    return outcome;
}

void print_plan(const Context& context, const std::vector<DryRunFileInfo>& plan) {
    std::vector<std::vector<std::string>> rows;
    std::size_t count = 0;
    std::uint64_t total = 0;
    for (const DryRunFileInfo& file : plan) {
        const std::string size = file.file_size ? human_size(static_cast<double>(*file.file_size)) : "-";
        rows.push_back({file.filename, file.will_download ? size : "-"});
        if (!file.will_download) continue;
        ++count;
        total += file.file_size.value_or(0);
    }
    context.output.note("[dry-run] Will download " + std::to_string(count) + " files (out of " +
                        std::to_string(plan.size()) + ") totalling " + human_size(static_cast<double>(total)) + ".");
    context.output.table({"file", "size"}, rows);
}

Outcome fetch(const HfApi& api, const Arguments& arguments, const Context& context) {
    const ProgressBar bar(api.session().environment(), context.output.format != Format::human);
    const bool one = arguments.filenames.size() == 1 && !is_pattern(arguments.filenames.front());
    return one ? download_one(api, arguments, arguments.filenames.front(), options_of(arguments, context, bar))
               : download_several(api, arguments, context, bar);
}

int download(const Arguments& arguments, const Context& context) {
    check(arguments);
    const Interruption interruption;
    const HfApi api = HfApi().with_stop(interruption.stop());
    Outcome outcome;
    try {
        outcome = fetch(api, arguments, context);
    } catch (const CancelledError&) {
        if (interruption.signal() == 0) throw;
        std::cerr << "Interrupted; what has come of the files is kept, and the next download goes on from there\n";
        return 128 + interruption.signal();
    }
    if (arguments.dry_run) {
        print_plan(context, outcome.plan);
    } else {
        context.output.line("path", outcome.path);
    }
    return 0;
}

}  // namespace

void add_download(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("download", "Download files from the Hub; prints where they are.");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("repo_id", arguments->repo_id, "Repository, such as org/name or datasets/org/name")->required();
    command->add_option("filenames", arguments->filenames,
                        "Files, patterns or folders (dir/); all files where none is given");
    CLI::Option* const type =
        command->add_option("--type,--repo-type", arguments->repo_type, "model, dataset, space or kernel")
            ->check(CLI::IsMember({"model", "dataset", "space", "kernel"}));
    command->add_option("--revision", arguments->revision, "Branch, tag or commit");
    // One value each time: what follows may be a file's name.
    command->add_option("--include", arguments->include, "Pattern of files to download; may be repeated")
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
    command->add_option("--exclude", arguments->exclude, "Pattern of files to leave out; may be repeated")
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
    command->add_option("--cache-dir", arguments->cache_dir, "Cache folder");
    command->add_option("--local-dir", arguments->local_dir, "Put the files there instead of into the cache");
    command->add_flag("--force-download,!--no-force-download", arguments->force_download,
                      "Download again what is there");
    command->add_flag("--dry-run,!--no-dry-run", arguments->dry_run, "Show what would be downloaded");
    command->add_option("--max-workers", arguments->max_workers, "Files at a time (8)");
    add_common_options(*command, context);
    command->callback([arguments, type, &context] {
        split_repo_type(*arguments, type->count() > 0);
        context.run = [arguments, &context] { return download(*arguments, context); };
    });
}

}  // namespace hfhub::cli
