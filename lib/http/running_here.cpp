#include "http/running_here.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <thread>

namespace hfhub::http {

namespace {

// Executors tell whether this thread is theirs by one thing that all of them have: what they do with a dispatch.
template <class Executor>
bool runs_inline(const Executor& executor) {
    const auto here = std::make_shared<bool>(false);
    asio::dispatch(executor, [here, caller = std::this_thread::get_id()] {
        if (std::this_thread::get_id() == caller) *here = true;
    });
    return *here;
}

// Outside of a strand its threads are no less busy with whoever waits on them.
template <class Inner>
bool strand_runs_here(const asio::any_io_executor& executor) {
    const auto* strand = executor.target<asio::strand<Inner>>();
    return strand != nullptr && runs_inline(strand->get_inner_executor());
}

}  // namespace

bool running_here(const asio::any_io_executor& executor) {
    return runs_inline(executor) || strand_runs_here<asio::io_context::executor_type>(executor) ||
           strand_runs_here<asio::thread_pool::executor_type>(executor) ||
           strand_runs_here<asio::any_io_executor>(executor);
}

}  // namespace hfhub::http
