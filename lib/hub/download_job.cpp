#include "hub/download_job.hpp"

#include "http/workers.hpp"
#include "hub/held_lock.hpp"

namespace hfhub::hub {

namespace {

awaitable<void> make_copy(Client client, std::shared_ptr<FileCopy> copy, std::shared_ptr<FileLock> lock) {
    for (bool more = true; more;) {
        auto work = [copy, lock] {
            lock->refresh();
            return copy->step(bytes_at_once);
        };
        more = co_await client.workers().run(std::move(work));
    }
}

}  // namespace

awaitable<void> perform(Client client, std::shared_ptr<const DownloadJob> job, SharedFile file) {
    const auto lock = co_await hold_lock(client, job->lock(*file));
    auto begin = [job, file] { return job->begin(*file); };
    const ByteSource source = co_await client.workers().run(std::move(begin));
    if (source.part) {
        source.part->guard(lock);
        TransferRequest transfer = transfer_of(client, job->request, *file);
        co_await fetch(client, std::move(transfer), source.part);
    }
    if (source.copy) co_await make_copy(client, source.copy, lock);
    auto finish = [job, file, part = source.part, lock] {
        job->finish(*file, part.get());
        lock->unlock();
    };
    co_await client.workers().run(std::move(finish));
}

}  // namespace hfhub::hub
