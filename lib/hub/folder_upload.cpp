#include "hub/folder_upload.hpp"

#include "core/log.hpp"
#include "core/texts.hpp"
#include "http/wait.hpp"
#include "hub/commit_draft.hpp"
#include "hub/folder_scan.hpp"
#include "hub/parallel.hpp"
#include "hub/tree_listing.hpp"
#include "hub/upload_plan.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <optional>

namespace hfhub::hub {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t large_slice = std::uint64_t{1} << 30;
constexpr std::uint64_t most_in_commit = 100 << 20;  // bytes of files that are not large: they travel in it
constexpr auto oldest_batch = 5min;                  // what was uploaded is not to wait much longer for its commit
constexpr int tries_of_smallest = 5;

struct Batch {
    std::vector<Operation> operations;
    std::uint64_t bytes = 0;  // in the commit itself
    bool last = false;
    http::Clock::time_point began = http::Clock::now();

    bool is_full(std::size_t target) const {
        return operations.size() >= target || bytes >= most_in_commit || http::Clock::now() - began >= oldest_batch;
    }
};

/// One batch is committed while the next one is prepared.
struct Upload {
    Upload(const Client& of, std::string id, Owned<UploadFolderOptions> given)
        : client(of),
          options(std::move(given)),
          repo_id(std::move(id)),
          repo_type(checked_repo_type(options->repo_type)),
          revision(options->revision.empty() ? "main" : options->revision),
          message(options->commit_message.empty() ? "Upload folder using hfhub" : options->commit_message),
          changed(client.waits()) {}

    CreateCommitOptions commit_options(std::string_view text) const {
        return {.commit_message = text,
                .commit_description = options->commit_description,
                .token = options->token,
                .repo_type = repo_type,
                .revision = revision,
                .create_pr = options->create_pr && !made,
                .num_threads = options->num_threads,
                .parent_commit = made ? std::string_view() : options->parent_commit};
    }
    Draft draft(std::vector<Operation> list, const CreateCommitOptions& of) const {
        return Draft{client,
                     repo_id,
                     repo_type,
                     made && made->pr_revision ? *made->pr_revision : revision,
                     Operations(std::move(list)),
                     of};
    }
    void note(CommitInfo info) {
        if (made) {
            info.pr_url = made->pr_url;
            info.pr_revision = made->pr_revision;
            info.pr_num = made->pr_num;
        }
        made = std::move(info);
        ++parts;
    }

    Client client;
    Owned<UploadFolderOptions> options;
    std::string repo_id, repo_type, revision, message;
    FolderScan scan{};
    std::size_t next = 0;  // of the files
    std::vector<Operation> deletions{};
    std::optional<std::string> gitignore{};
    CommitScale scale{};

    std::optional<Batch> ready{};
    bool all_ready = false;
    std::exception_ptr failure{};  // in preparing
    http::Event changed;           // one side at a time waits for the other
    std::size_t parts = 0;
    std::optional<CommitInfo> made{};
};
using SharedUpload = std::shared_ptr<Upload>;

awaitable<void> wait_for_change(SharedUpload upload) {
    const http::Limit limit{upload->client.deadline()};
    const http::Wake wake = co_await upload->changed.wait(limit.at);
    limit.check(wake);
}

/// The next files, prepared, less what the repository has or does not want.
awaitable<std::vector<Operation>> prepare_slice(SharedUpload upload, std::size_t most) {
    const auto sizes = std::span<const std::uint64_t>(upload->scan.sizes).subspan(upload->next);
    const auto begin = upload->scan.files.begin() + static_cast<std::ptrdiff_t>(upload->next);
    const std::size_t count = slice_size(sizes, std::min(most, files_per_request), large_slice);
    upload->next += count;
    std::vector<Operation> slice(std::make_move_iterator(begin),
                                 std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
    const CreateCommitOptions options = upload->commit_options(upload->message);
    Draft draft = upload->draft(std::move(slice), options);
    const std::vector<Addition*> additions = draft.operations.additions();
    co_await measure_all(draft, additions);
    co_await prepare(draft, additions, upload->gitignore);
    std::erase_if(draft.operations.list, [](const Operation& one) {
        const Addition& addition = std::get<Addition>(one);
        if (addition.ignored) log(LogLevel::info, addition.path + " is left out: the repository's .gitignore names it");
        return addition.ignored || is_unchanged(addition);
    });
    for (Addition* addition : draft.operations.additions()) addition->info.sample = std::string();
    co_return std::move(draft.operations.list);
}

awaitable<void> prepare_all(SharedUpload upload) {
    Batch batch;
    batch.operations = std::move(upload->deletions);
    while (upload->next < upload->scan.files.size() || !batch.operations.empty()) {
        const std::size_t target = upload->scale.target();
        if (upload->next < upload->scan.files.size() && !batch.is_full(target)) {
            std::vector<Operation> slice = co_await prepare_slice(upload, target - batch.operations.size());
            for (Operation& one : slice) {
                const Addition& addition = std::get<Addition>(one);
                if (addition.mode == UploadMode::regular) batch.bytes += addition.info.size;
                batch.operations.push_back(std::move(one));
            }
            continue;
        }
        batch.last = upload->next == upload->scan.files.size();
        while (upload->ready) co_await wait_for_change(upload);
        upload->ready = std::exchange(batch, Batch());
        upload->changed.notify();
    }
}

/// What fails here waits until the commit under way is made: half done, nobody would know of it.
awaitable<void> prepare_side(SharedUpload upload) {
    try {
        co_await prepare_all(upload);
    } catch (const CancelledError&) {
        throw;
    } catch (...) {
        upload->failure = std::current_exception();
    }
    upload->all_ready = true;
    upload->changed.notify();
}

bool may_pass(int status) {
    constexpr std::array<int, 7> passing = {408, 413, 429, 500, 502, 503, 504};
    return std::find(passing.begin(), passing.end(), status) != passing.end();
}

/// Commits the batch, or its beginning where commits of that size have failed, and leaves the rest in it.
awaitable<void> commit_some(SharedUpload upload, Batch* batch) {
    std::vector<Operation> rest;
    for (int tries = 1;; ++tries) {
        std::vector<Operation> list = std::move(batch->operations);
        if (upload->scale.has_failed() && list.size() > upload->scale.target()) {
            const auto middle = list.begin() + static_cast<std::ptrdiff_t>(upload->scale.target());
            rest.insert(rest.begin(), std::make_move_iterator(middle), std::make_move_iterator(list.end()));
            list.erase(middle, list.end());
        }
        const bool alone = upload->parts == 0 && batch->last && rest.empty();
        const std::string text = alone ? upload->message : part_message(upload->message, upload->parts + 1);
        const CreateCommitOptions options = upload->commit_options(text);
        const std::size_t count = list.size();
        Draft draft = upload->draft(std::move(list), options);
        const auto began = http::Clock::now();
        std::exception_ptr failure;
        std::optional<CommitInfo> info;
        try {
            awaitable<CommitInfo> sending = finish(draft);
            info = co_await with_note(std::move(sending));
            upload->scale.succeeded(count, std::chrono::ceil<std::chrono::milliseconds>(http::Clock::now() - began));
        } catch (const HfHubHttpError& error) {
            if (!may_pass(error.status()) || !leaves_traces(draft)) throw;
            failure = std::current_exception();
        }
        if (!info) info = co_await find_commit(draft);
        batch->operations = std::move(draft.operations.list);
        if (info) {
            upload->note(std::move(*info));
            batch->operations = std::move(rest);
            co_return;
        }
        if (count > CommitScale::smallest) tries = 0;
        if (tries == tries_of_smallest) std::rethrow_exception(failure);
        upload->scale.failed(count);
        const SessionOptions& session = upload->client.options();
        co_await upload->client.wait_until(http::Clock::now() +
                                           std::min(session.backoff_base * (1 << tries), session.backoff_cap));
    }
}

awaitable<void> commit_all(SharedUpload upload) {
    for (;;) {
        while (!upload->ready && !upload->all_ready) co_await wait_for_change(upload);
        if (!upload->ready) co_return;
        Batch batch = std::move(*upload->ready);
        upload->ready.reset();
        upload->changed.notify();
        while (!batch.operations.empty()) co_await commit_some(upload, &batch);
    }
}

/// What needs to be known before anything is uploaded.
awaitable<void> begin(SharedUpload upload, std::string folder) {
    FolderChoice choice{std::move(folder), folder_prefix(upload->options->path_in_repo)};
    if (upload->options->allow_patterns.given()) choice.allow = texts(upload->options->allow_patterns);
    choice.ignore = texts(upload->options->ignore_patterns);
    const std::string prefix = choice.prefix;
    auto scan = [choice = std::move(choice)] { return scan_folder(choice); };
    upload->scan = co_await upload->client.workers().run(std::move(scan));
    const std::vector<std::string> patterns = texts(upload->options->delete_patterns);
    if (!patterns.empty()) {
        TreeAddress address{upload->repo_type, upload->repo_id, upload->revision};
        address.token = upload->options->token;
        const RepoTree tree = co_await ask_tree(upload->client, std::move(address));
        upload->deletions = deletions_of(tree, prefix, patterns);
        keep_uploaded(upload->deletions, upload->scan.files);
    }
    const CreateCommitOptions options = upload->commit_options(upload->message);
    const Draft draft = upload->draft({}, options);
    std::vector<Addition*> all, needed;
    for (Addition& file : upload->scan.files) all.push_back(&file);
    for (const std::string_view name : {"README.md", ".gitignore"}) {
        if (Addition* one = find(all, name)) needed.push_back(one);
    }
    co_await measure_all(draft, needed);
    if (Addition* card = find(needed, "README.md")) co_await check_card(draft, *card);
    upload->gitignore = co_await read_gitignore(draft, needed);
}

}  // namespace

awaitable<CommitInfo> upload_folder(Client client, std::string folder, std::string repo_id,
                                    Owned<UploadFolderOptions> options) {
    const auto upload = std::make_shared<Upload>(client, std::move(repo_id), std::move(options));
    const CreateCommitOptions commit = upload->commit_options(upload->message);
    check_commit(upload->repo_id, commit);
    if (upload->options->create_pr && upload->revision != "main") {
        throw InvalidArgumentError("create_pr proposes changes to the default branch: leave revision '" +
                                   upload->revision + "' out, or upload to it without create_pr");
    }
    co_await begin(upload, std::move(folder));
    std::function<awaitable<void>(std::size_t)> side = [upload](std::size_t index) {
        return index == 0 ? prepare_side(upload) : commit_all(upload);
    };
    co_await run_parallel(client, 2, 2, std::move(side));
    if (upload->failure) std::rethrow_exception(upload->failure);
    if (upload->made) co_return std::move(*upload->made);
    log(LogLevel::warning, "there is nothing to commit to " + upload->repo_id + ": no file has changed");
    const Draft draft = upload->draft({}, commit);
    awaitable<CommitInfo> asking = head_info(draft);
    co_return co_await with_note(std::move(asking));
}

}  // namespace hfhub::hub
