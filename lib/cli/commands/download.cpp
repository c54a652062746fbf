#include "cli/commands/commands.hpp"
#include "cli/progress_bar.hpp"
#include "core/glob.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <CLI/CLI.hpp>

#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

namespace hfhub::cli {

namespace {

struct Arguments {
    std::string repo_id, repo_type = "model", revision, cache_dir, local_dir;
    std::vector<std::string> filenames, include, exclude;
    bool force_download = false, dry_run = false;
    unsigned max_workers = 8;
};

bool is_pattern(const std::string& name) {
    return name.find_first_of("*?[") != std::string::npos || name.ends_with('/');
}

// "datasets/org/name" says the type too, as web addresses do.
void split_repo_type(Arguments& arguments) {
    for (const std::string type : {"model", "dataset", "space", "kernel"}) {
        const std::string prefix = type + "s/";
        if (!arguments.repo_id.starts_with(prefix)) continue;
        arguments.repo_id.erase(0, prefix.size());
        arguments.repo_type = type;
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

struct Listing {
    std::vector<std::string> files;
    std::string commit;
};

template <class Info>
Listing listing_of(const Info& info) {
    Listing listing;
    listing.commit = info.sha.value_or("");
    for (const RepoSibling& sibling : info.siblings.value_or(std::vector<RepoSibling>())) {
        listing.files.push_back(sibling.rfilename);
    }
    return listing;
}

Listing list_files(const HfApi& api, const Arguments& arguments, const Context& context) {
    Token token;
    if (!context.token.empty()) token = context.token;
    if (arguments.repo_type == "model") {
        return listing_of(api.model_info(arguments.repo_id, {.revision = arguments.revision, .token = token}));
    }
    RepoDetailsOptions options;
    options.revision = arguments.revision;
    options.token = token;
    if (arguments.repo_type == "dataset") return listing_of(api.dataset_info(arguments.repo_id, options));
    if (arguments.repo_type == "space") return listing_of(api.space_info(arguments.repo_id, options));
    throw InvalidArgumentError("several files of a " + arguments.repo_type + " cannot be chosen: name one file");
}

void print_plan(const Context& context, const std::vector<DryRunFileInfo>& plan) {
    std::vector<std::vector<std::string>> rows;
    for (const DryRunFileInfo& file : plan) {
        const std::string size = file.file_size ? human_size(static_cast<double>(*file.file_size)) : "-";
        rows.push_back({file.filename, file.will_download ? size : "-"});
    }
    context.output.table({"file", "size"}, rows);
}

// The folder that holds all files: what is left of a path when the file's name is taken away.
std::string folder_of(const std::filesystem::path& path, const std::string& filename) {
    const std::string text = path.string();
    return text.substr(0, text.size() - filename.size() - 1);
}

int download_several(const HfApi& api, const Arguments& arguments, const Context& context, const ProgressBar& bar) {
    const Listing listing = list_files(api, arguments, context);
    std::vector<std::string> allow = arguments.filenames;
    allow.insert(allow.end(), arguments.include.begin(), arguments.include.end());
    const auto files =
        filter_paths(listing.files, allow.empty() ? std::nullopt : std::optional(allow), arguments.exclude);
    if (files.empty()) throw InvalidArgumentError("no file of " + arguments.repo_id + " fits the names and patterns");
    HfHubDownloadOptions options = options_of(arguments, context, bar);
    // All files of one commit, even if the branch moves meanwhile.
    if (!listing.commit.empty()) options.revision = listing.commit;
    if (arguments.dry_run) {
        std::vector<DryRunFileInfo> plan;
        for (const std::string& file : files)
            plan.push_back(api.hf_hub_download_dry_run(arguments.repo_id, file, options));
        print_plan(context, plan);
        return 0;
    }
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::string folder;
    std::exception_ptr failure;
    const auto work = [&] {
        for (std::size_t i = next++; i < files.size(); i = next++) {
            try {
                const auto path = api.hf_hub_download(arguments.repo_id, files[i], options);
                const std::lock_guard lock(mutex);
                folder = folder_of(path, files[i]);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!failure) failure = std::current_exception();
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        const std::size_t count = std::min<std::size_t>(std::max(arguments.max_workers, 1u), files.size());
        for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work);
    }
    if (failure) std::rethrow_exception(failure);
    context.output.line("path", folder);
    return 0;
}

int download(Arguments arguments, const Context& context) {
    split_repo_type(arguments);
    const HfApi api;
    std::string result;
    {
        const ProgressBar bar(Session().environment(), context.output.format != Format::human);
        const bool one = arguments.filenames.size() == 1 && arguments.include.empty() && arguments.exclude.empty() &&
                         !is_pattern(arguments.filenames.front());
        if (!one) return download_several(api, arguments, context, bar);
        const HfHubDownloadOptions options = options_of(arguments, context, bar);
        const std::string& file = arguments.filenames.front();
        if (arguments.dry_run) {
            print_plan(context, {api.hf_hub_download_dry_run(arguments.repo_id, file, options)});
            return 0;
        }
        result = api.hf_hub_download(arguments.repo_id, file, options).string();
    }
    context.output.line("path", result);
    return 0;
}

}  // namespace

void add_download(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("download", "Download files from the Hub; prints where they are.");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("repo_id", arguments->repo_id, "Repository, such as org/name or datasets/org/name")->required();
    command->add_option("filenames", arguments->filenames,
                        "Files, patterns or folders (dir/); all files where none is given");
    command->add_option("--type,--repo-type", arguments->repo_type, "model, dataset, space or kernel")
        ->check(CLI::IsMember({"model", "dataset", "space", "kernel"}));
    command->add_option("--revision", arguments->revision, "Branch, tag or commit");
    command->add_option("--include", arguments->include, "Patterns of files to download")->take_all();
    command->add_option("--exclude", arguments->exclude, "Patterns of files to leave out")->take_all();
    command->add_option("--cache-dir", arguments->cache_dir, "Cache folder");
    command->add_option("--local-dir", arguments->local_dir, "Put the files there instead of into the cache");
    command->add_flag("--force-download,!--no-force-download", arguments->force_download,
                      "Download again what is there");
    command->add_flag("--dry-run,!--no-dry-run", arguments->dry_run, "Show what would be downloaded");
    command->add_option("--max-workers", arguments->max_workers, "Files at a time (8)");
    add_common_options(*command, context);
    command->callback(
        [arguments, &context] { context.run = [arguments, &context] { return download(*arguments, context); }; });
}

}  // namespace hfhub::cli
