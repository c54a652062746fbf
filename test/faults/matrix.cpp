// The fault matrix: every fault, on every wire, in every call; once, and always.
//
// A cell with a stall depends on short limits. A machine that is too busy for them is given longer ones, twice.

#include "calls.hpp"
#include "cell.hpp"
#include "fault_server.hpp"
#include "support/fault_proxy.hpp"
#include "support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

using namespace hfhub;
using namespace hfhub::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t cells_at_a_time = 24;

/// The servers of all wires, and the room for all calls.
class Matrix {
  public:
    Matrix() {
        std::ofstream(authority_file()) << authority_.pem();
        for (const bool tls : {false, true}) {
            for (const bool http2 : {false, true}) {
                servers_.push_back(std::make_unique<FaultServer>(cells_, http2, tls ? context(http2) : nullptr));
            }
        }
    }

    struct Outcome {
        CallResult call;
        Seen seen;
    };

    /// Runs the cells on one loop, so many at a time.
    std::vector<Outcome> run(const std::vector<Cell>& cells, std::chrono::milliseconds limit, std::size_t at_a_time) {
        asio::io_context io(1);
        std::vector<Outcome> outcomes(cells.size());
        std::size_t next = 0;
        for (std::size_t lane = 0; lane < std::min(at_a_time, cells.size()); ++lane) {
            asio::co_spawn(io, work(io.get_executor(), cells, outcomes, next, limit), [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            });
        }
        io.run();
        return outcomes;
    }

    std::filesystem::path folder_of(const Cell& cell) const {
        return folder_.path() / (std::to_string(cell.number) + "-" + std::to_string(rounds_));
    }

  private:
    std::filesystem::path authority_file() const { return folder_.path() / "ca.pem"; }
    SslContext context(bool http2) const {
        TlsServerSpec spec{.certificate = authority_.issue({.addresses = {"127.0.0.1"}})};
        spec.alpn = {http2 ? "h2" : "http/1.1"};
        return tls_server_context(spec);
    }

    awaitable<void> work(asio::any_io_executor executor, const std::vector<Cell>& cells, std::vector<Outcome>& outcomes,
                         std::size_t& next, std::chrono::milliseconds limit) {
        while (next < cells.size()) {
            const std::size_t index = next++;
            const Cell cell = cells[index];
            CallPlan plan;
            plan.cell = cell;
            plan.server = servers_[(cell.tls() ? 2 : 0) + (cell.http2() ? 1 : 0)]->url();
            if (cell.proxied()) plan.proxy = proxy_.url();
            plan.folder = folder_of(cell);
            plan.authority = authority_file();
            plan.limit = limit;
            std::filesystem::create_directories(plan.folder);
            cells_.begin(cell);
            CallResult result = co_await make_call(executor, std::move(plan));
            outcomes[index].call = std::move(result);
            outcomes[index].seen = cells_.seen(cell);
        }
    }

    TempDir folder_;
    Authority authority_;
    Cells cells_;
    std::vector<std::unique_ptr<FaultServer>> servers_;
    FaultProxy proxy_{ProxyFaults{}};

  public:
    int rounds_ = 0;
};

/// Collects what is not as it should be.
class Findings {
  public:
    template <class A, class B>
    void same(const char* what, const A& got, const B& wanted) {
        if (got == wanted) return;
        text_ << "\n  " << what << ": " << got << ", should be " << wanted;
    }
    void require(const char* what, bool condition) {
        if (!condition) text_ << "\n  " << what;
    }
    std::string text() const { return text_.str(); }

  private:
    std::ostringstream text_;
};

std::string delivered(const Cell& cell, const std::string& outcome) {
    if (cell.kind == Kind::chat) return outcome == "ok" ? "abcd" : cell.silent() ? "" : "ab";
    if (outcome != "ok") return "";
    switch (cell.kind) {
        case Kind::json:
            return "x/cell-" + std::to_string(cell.number);
        case Kind::download:
            return file_content();
        case Kind::range:
            return file_content().substr(1000, 40'000);
        case Kind::put_part:
            return "made";
        case Kind::commit:
            return cell.fault == Fault::none ? "made" : std::string(commit_of_cells);
        default:
            return "";
    }
}

void check_download(Findings& findings, const Cell& cell, const Matrix::Outcome& outcome, bool ok,
                    const std::filesystem::path& folder) {
    const auto requests = outcome.seen.faulty();
    const std::string rest = "bytes=" + std::to_string(half_of_file) + "-";
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const bool has_half = i > 0 && !cell.silent();
        findings.same("Range", requests[i].range, has_half ? rest : std::string());
    }
    bool named = false;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        named |= entry.path().filename() == "f.bin";
    }
    findings.same("the file has its name", named, ok);
}

void check_uploads(Findings& findings, const Cell& cell, const Matrix::Outcome& outcome, bool ok) {
    const std::string_view content = file_content();
    for (const SeenRequest& one : outcome.seen.requests) {
        if (one.method != "PUT") continue;
        const bool first = one.target.find("/part-1") != std::string::npos;
        findings.require("a part's bytes are others", one.body == content.substr(first ? 0 : part_size, part_size));
    }
    if (cell.kind == Kind::put_part) {
        findings.same("completions", outcome.seen.count("POST", "/complete"), ok ? 1 : 0);
        findings.same("commits", outcome.seen.count("POST", "/commit/"), ok ? 1 : 0);
        if (ok) findings.same("puts of the other part", outcome.seen.count("PUT", "/part-2"), 1);
    }
}

/// What an error says beside its message.
void check_error(Findings& findings, const Cell& cell, const Expected& wanted, const Matrix::Outcome& outcome) {
    if (!outcome.call.error) return findings.require("the error is no TransportError", false);
    const TransportError& error = *outcome.call.error;
    findings.require("the error has no URL", error.url().find("//127.0.0.1:") != std::string::npos);
    findings.require("its URL holds a secret", error.url().find("SIGNATURE") == std::string::npos);
    // A commit that was lost is told by its one request, whatever was looked up after it.
    findings.same("attempts", error.attempts, cell.kind == Kind::commit ? 1 : wanted.requests);
    findings.require("waits are told of one try", error.attempts > 1 || error.waited.count() == 0);
    findings.require("no request id is told", !error.request_id.empty());
    if (cell.fault == Fault::half_rst) return;  // it may take with it what had come
    findings.same("status class", error.status / 100, cell.silent() ? 0 : 2);
    if (cell.kind == Kind::put_part) return;  // its answer is short
    findings.require("bytes that came", (error.bytes_done > 0) == !cell.silent());
}

void check_tries(Findings& findings, const Cell& cell, const Expected& wanted, const Matrix::Outcome& outcome) {
    if (cell.number % 2 != 0) return;
    const std::vector<std::string>& tries = outcome.call.tries;
    // Everything the server saw was told; what waits for a connection in vain is told too.
    const bool read_on = cell.kind == Kind::chat && wanted.outcome == "ok";  // to its end, when the call is over
    findings.require("not each try is told", read_on || tries.size() >= outcome.seen.requests.size());
    for (const std::string& line : tries) {
        findings.require("a trace holds a secret",
                         line.find("SIGNATURE") == std::string::npos && line.find(secret_token) == std::string::npos);
    }
}

/// What differs from what is documented; empty where nothing does.
std::string findings_of(const Cell& cell, const Matrix::Outcome& outcome, bool patient,
                        const std::filesystem::path& folder) {
    Findings findings;
    const Expected wanted = expected(cell, patient);
    const bool ok = wanted.outcome == "ok";
    findings.same("outcome", outcome.call.outcome, wanted.outcome);
    findings.same("requests", outcome.seen.faulty().size(), static_cast<std::size_t>(wanted.requests));
    findings.require("other bytes were delivered", outcome.call.delivered == delivered(cell, wanted.outcome));
    const std::string& message = outcome.call.message;
    if (!ok) {
        findings.require("the message names no URL", message.find("//127.0.0.1:") != std::string::npos);
        findings.require("the message holds a secret", message.find("SIGNATURE") == std::string::npos &&
                                                           message.find(secret_token) == std::string::npos);
    }
    if (!ok) check_error(findings, cell, wanted, outcome);
    check_tries(findings, cell, wanted, outcome);
    if (cell.kind == Kind::download) check_download(findings, cell, outcome, ok, folder);
    if (cell.kind == Kind::put_part) check_uploads(findings, cell, outcome, ok);
    std::string text = findings.text();
    if (!text.empty()) text = cell.name() + text + "\n  message: " + message;
    return text;
}

/// One answer's limit after the other, and room for a machine that is busy with other things.
std::chrono::milliseconds bound(const Cell& cell, std::chrono::milliseconds limit) {
    const int requests = expected(cell, false).requests;
    return cell.stalls() ? requests * (limit + 1s) + 20s : 60s;
}

/// The cells that are not as they should be.
std::vector<Cell> play(Matrix& matrix, const std::vector<Cell>& cells, std::chrono::milliseconds limit, bool report) {
    std::vector<Cell> failed;
    const auto outcomes = matrix.run(cells, limit, cells_at_a_time);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        std::string text = findings_of(cells[i], outcomes[i], false, matrix.folder_of(cells[i]));
        if (outcomes[i].call.took > bound(cells[i], limit)) text += cells[i].name() + ": took too long";
        if (text.empty()) continue;
        failed.push_back(cells[i]);
        if (report) FAIL_CHECK(text);
    }
    ++matrix.rounds_;
    return failed;
}

bool is_long() {
    const char* value = std::getenv("HFHUB_LONG");
    return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

TEST_CASE("every fault of every call on every wire ends as documented") {
    Matrix matrix;
    std::vector<Cell> stalls, others;
    for (const Cell& cell : all_cells()) (cell.stalls() ? stalls : others).push_back(cell);
    const std::size_t count = stalls.size() + others.size();
    std::size_t failed = play(matrix, others, 120s, true).size();
    for (const auto limit : {400ms, 2000ms, 8000ms}) {
        if (!stalls.empty()) stalls = play(matrix, stalls, limit, limit == 8000ms);
    }
    failed += stalls.size();
    std::cout << "fault matrix: cells passed: " << count - failed << " of " << count << "\n";
}

TEST_CASE("with the limits of a new session no call is silent for more than two minutes" * doctest::skip(!is_long())) {
    Matrix matrix;
    const std::vector<Cell> cells = all_cells();
    const auto outcomes = matrix.run(cells, 0ms, cells.size());
    std::chrono::milliseconds longest[kinds]{};
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const Cell& cell = cells[i];
        const std::string text = findings_of(cell, outcomes[i], true, matrix.folder_of(cell));
        if (!text.empty()) FAIL_CHECK(text);
        const auto silence = outcomes[i].seen.longest_silence;
        auto& most = longest[static_cast<int>(cell.kind)];
        most = std::max(most, silence);
        CAPTURE(cell.name());
        CHECK(silence < 125s);
    }
    for (int kind = 0; kind < kinds; ++kind) {
        std::cout << "longest silence, " << to_string(static_cast<Kind>(kind)) << ": "
                  << static_cast<double>(longest[kind].count()) / 1000 << " s\n";
    }
}
