// Slow is no fault: what moves is never given up, however long all of it takes.

#include "calls.hpp"
#include "fault_server.hpp"
#include "support/fault_proxy.hpp"
#include "support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <iostream>

using namespace hfhub;
using namespace hfhub::test;
using namespace std::chrono_literals;

namespace {

/// So much of the file in a piece that all of it takes three times the limit of a silence.
constexpr auto limit = 2000ms, pause = 60ms;
constexpr std::size_t slice = 500;

struct Slow {
    Cells cells;
    FaultServer http1{cells, false, nullptr}, http2{cells, true, nullptr};
    FaultProxy slow1{http1.port(), {.slice = slice, .pause = pause}};
    FaultProxy slow2{http2.port(), {.slice = slice, .pause = pause}};
    TempDir folder;
};

}  // namespace

TEST_CASE("a transfer that moves is never given up, though all of it takes longer than every limit") {
    Slow slow;
    asio::io_context io(1);
    std::vector<Cell> cells;
    for (const Wire wire : {Wire::http1, Wire::h2c}) {
        for (const Kind kind : {Kind::download, Kind::range, Kind::json, Kind::chat}) {
            cells.push_back({static_cast<int>(cells.size()), Fault::none, wire, kind});
        }
    }
    std::vector<CallResult> results(cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
        slow.cells.begin(cells[i]);
        CallPlan plan;
        plan.cell = cells[i];
        plan.server = (cells[i].http2() ? slow.slow2 : slow.slow1).url();
        plan.folder = slow.folder.path() / std::to_string(i);
        plan.limit = limit;
        std::filesystem::create_directories(plan.folder);
        asio::co_spawn(io, make_call(io.get_executor(), std::move(plan)),
                       [&results, i](std::exception_ptr, CallResult result) { results[i] = std::move(result); });
    }
    io.run();
    for (std::size_t i = 0; i < cells.size(); ++i) {
        CAPTURE(cells[i].name());
        CAPTURE(results[i].message);
        CHECK(results[i].outcome == "ok");
        CHECK(slow.cells.seen(cells[i]).faulty().size() == 1);
        if (cells[i].kind == Kind::download) CHECK(results[i].delivered == file_content());
        if (cells[i].kind == Kind::download || cells[i].kind == Kind::range) CHECK(results[i].took > 2 * limit);
    }
}
