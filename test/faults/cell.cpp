#include "cell.hpp"

namespace hfhub::test {

namespace {

constexpr int tries = 6;

/// The class of the exception that a try ends with.
std::string failure(const Cell& cell) {
    if (cell.stalls()) return "TimeoutError";
    if (cell.silent()) return "ConnectionLostError";
    // A reset tells HTTP/1.1 no more than that; HTTP/2 knows that the stream was under way.
    return cell.fault == Fault::half_rst && !cell.http2() ? "ConnectionLostError" : "TruncatedError";
}

const char* to_string(Fault fault) noexcept {
    constexpr std::array names = {"normal",           "no answer, stall", "no answer, FIN", "no answer, RST",
                                  "half body, stall", "half body, FIN",   "half body, RST"};
    return names[static_cast<std::size_t>(fault)];
}

const char* to_string(Wire wire) noexcept {
    constexpr std::array names = {"HTTP/1.1", "h2c", "TLS HTTP/1.1", "TLS HTTP/2", "proxy HTTP/1.1", "proxy HTTP/2"};
    return names[static_cast<std::size_t>(wire)];
}

}  // namespace

const char* to_string(Kind kind) noexcept {
    constexpr std::array names = {"HEAD",     "GET json",    "download",   "ranged GET",
                                  "PUT part", "POST commit", "chat stream"};
    return names[static_cast<std::size_t>(kind)];
}

std::string Cell::name() const {
    return std::string(to_string(kind)) + " over " + to_string(wire) + ": " + to_string(fault) +
           (fault == Fault::none ? ""
            : always             ? ", always"
                                 : ", once");
}

std::vector<Cell> all_cells() {
    std::vector<Cell> cells;
    for (int fault = 0; fault <= static_cast<int>(Fault::half_rst); ++fault) {
        for (int wire = 0; wire <= static_cast<int>(Wire::proxy_http2); ++wire) {
            for (int kind = 0; kind < kinds; ++kind) {
                for (const bool always : {false, true}) {
                    if (always && fault == 0) continue;
                    cells.push_back({static_cast<int>(cells.size()), static_cast<Fault>(fault), static_cast<Wire>(wire),
                                     static_cast<Kind>(kind), always});
                }
            }
        }
    }
    return cells;
}

Expected expected(const Cell& cell, bool patient) {
    if (cell.fault == Fault::none) return {"ok"};
    // The head is the whole answer.
    if (cell.kind == Kind::head && !cell.silent()) return {"ok"};
    // A stream that may have begun is never repeated: the model may have worked, and tokens may have been shown.
    if (cell.kind == Kind::chat) return {failure(cell)};
    // A commit may have been made. Whether it was is looked up; it is never sent twice.
    if (cell.kind == Kind::commit) return {cell.silent() ? "ConnectionLostError" : "ok"};
    if (!cell.always) return {"ok", 2};
    // A part is given a minute to be answered, and no call is silent for more than two.
    if (cell.kind == Kind::put_part && cell.fault == Fault::stall && patient) return {failure(cell), 2};
    return {failure(cell), tries};
}

}  // namespace hfhub::test
