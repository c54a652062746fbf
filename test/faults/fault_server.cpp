#include "fault_server.hpp"

#include "core/digest.hpp"
#include "support/h2_peer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <thread>

namespace hfhub::test {

namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto longest_stall = 700s;

std::optional<int> cell_number(std::string_view target) {
    const auto at = target.find("cell-");
    if (at == std::string_view::npos) return std::nullopt;
    int number = -1;
    std::from_chars(target.data() + at + 5, target.data() + target.size(), number);
    return number;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Whether this request is the one that the kind is named after.
bool is_faulty(Kind kind, const SeenRequest& request) {
    switch (kind) {
        case Kind::head:
            return request.method == "HEAD";
        case Kind::json:
            return contains(request.target, "/api/models/");
        case Kind::download:
            return request.method == "GET" && contains(request.target, "/resolve/");
        case Kind::range:
            return request.method == "GET";
        case Kind::put_part:
            return request.method == "PUT" && contains(request.target, "/part-1");
        case Kind::commit:
            return contains(request.target, "/commit/");
        case Kind::chat:
            return request.method == "POST";
    }
    return false;
}

std::string event(std::string_view text) {
    return R"(data: {"choices":[{"index":0,"delta":{"role":"assistant","content":")" + std::string(text) + "\"}}]}\n\n";
}

std::string id_of(std::string_view content) {
    GitBlobSha1 hash(content.size());
    hash.update(content);
    return hash.hex();
}

std::size_t range_begin(std::string_view range) {
    std::size_t begin = 0;
    if (range.starts_with("bytes=")) std::from_chars(range.data() + 6, range.data() + range.size(), begin);
    return begin;
}

void end(Peer& peer, Fault fault) {
    switch (fault) {
        case Fault::none:
            return;
        case Fault::stall:
        case Fault::half_stall:
            peer.wait_for_end(longest_stall);
            return;
        case Fault::fin:
        case Fault::half_fin:
            peer.end_sending();
            peer.wait_for_end();
            return;
        case Fault::rst:
        case Fault::half_rst:
            peer.reset();
            return;
    }
}

bool is_silent(Fault fault) { return fault == Fault::stall || fault == Fault::fin || fault == Fault::rst; }

}  // namespace

const std::string& file_content() {
    static const std::string content = [] {
        std::string bytes;
        for (std::uint32_t state = 7; bytes.size() < 50'000; state = state * 1664525U + 1013904223U)
            bytes.push_back(static_cast<char>(state >> 24));
        return bytes;
    }();
    return content;
}

void Seen::heard() {
    const auto now = std::chrono::steady_clock::now();
    longest_silence = std::max(longest_silence, std::chrono::duration_cast<std::chrono::milliseconds>(now - last));
    last = now;
}

std::vector<SeenRequest> Seen::faulty() const {
    std::vector<SeenRequest> found;
    std::copy_if(requests.begin(), requests.end(), std::back_inserter(found),
                 [](const auto& one) { return one.faulty; });
    return found;
}

int Seen::count(std::string_view method, std::string_view part) const {
    return static_cast<int>(std::count_if(requests.begin(), requests.end(), [&](const SeenRequest& one) {
        return one.method == method && contains(one.target, part);
    }));
}

void Cells::begin(const Cell& cell) {
    const std::lock_guard lock(mutex_);
    cells_.insert_or_assign(cell.number, std::pair(cell, Seen()));
}

Seen Cells::seen(const Cell& cell) {
    const std::lock_guard lock(mutex_);
    Seen& seen = cells_.at(cell.number).second;
    seen.heard();
    return seen;
}

FaultServer::FaultServer(Cells& cells, bool http2, SslContext tls)
    : cells_(cells),
      server_([this, http2](Peer& peer) { http2 ? serve_http2(peer) : serve_http1(peer); }, std::move(tls)) {}

FaultServer::Answer FaultServer::answer(SeenRequest request) {
    const std::lock_guard lock(cells_.mutex_);
    const auto number = cell_number(request.target);
    const auto found = cells_.cells_.find(number.value_or(-1));
    if (found == cells_.cells_.end()) return {.status = 404};
    auto& [cell, seen] = found->second;
    seen.heard();
    request.faulty = is_faulty(cell.kind, request);
    const bool first = seen.faulty().empty();
    Answer answer = answer_of(cell, seen, request);
    answer.cut = std::min(answer.body.size(), answer.cut > 0 ? answer.cut : answer.body.size() / 2);
    if (request.faulty && (first || cell.always)) answer.fault = cell.fault;
    if (contains(request.target, "/commit/") && !is_silent(answer.fault)) seen.committed = true;
    if (cell.kind == Kind::download || cell.kind == Kind::range) {
        // The same place whatever was asked for: a server that always cuts there is not asked for ever.
        const std::size_t begin = range_begin(request.range);
        const std::size_t place = half_of_file > begin ? half_of_file - begin : 0;
        answer.cut = std::min(place, answer.body.size());
    }
    seen.requests.push_back(std::move(request));
    return answer;
}

void FaultServer::heard(std::string_view target) {
    const std::lock_guard lock(cells_.mutex_);
    const auto found = cells_.cells_.find(cell_number(target).value_or(-1));
    if (found != cells_.cells_.end()) found->second.second.heard();
}

FaultServer::Answer FaultServer::file(const SeenRequest& request) const {
    const std::string& content = file_content();
    const std::string size = std::to_string(content.size());
    Answer answer;
    answer.fields = {{"etag", "\"" + sha256_hex(content) + "\""},
                     {"x-repo-commit", std::string(commit_of_cells)},
                     {"x-linked-size", size},
                     {"accept-ranges", "bytes"}};
    answer.body = content;
    if (request.range.empty()) return answer;
    const std::size_t begin = range_begin(request.range);
    std::size_t last = content.size() - 1;
    const auto dash = request.range.find('-');
    std::from_chars(request.range.data() + dash + 1, request.range.data() + request.range.size(), last);
    answer.status = 206;
    answer.body = content.substr(begin, last + 1 - begin);
    answer.fields.emplace_back("content-range",
                               "bytes " + std::to_string(begin) + "-" + std::to_string(last) + "/" + size);
    return answer;
}

FaultServer::Answer FaultServer::answer_of(const Cell& cell, Seen& seen, const SeenRequest& request) const {
    const std::string number = "cell-" + std::to_string(cell.number);
    const auto has = [&](std::string_view part) { return contains(request.target, part); };
    const auto text = [](std::string body) {
        return Answer{.fields = {{"content-type", "application/json"}}, .body = std::move(body)};
    };
    if (has("/resolve/") || has("/blob")) return file(request);
    if (has("/preupload/")) {
        json::object one{{"path", "f.bin"}, {"uploadMode", cell.kind == Kind::put_part ? "lfs" : "regular"}};
        if (seen.committed) one["oid"] = id_of(file_content());
        return text(json::serialize(json::object{{"files", json::array{one}}}));
    }
    if (has("/objects/batch")) {
        const json::value asked = json::parse(request.body);
        const json::value& object = asked.at("objects").at(0);
        const std::string base = server_.url("/" + number);
        const std::string part = "?X-Amz-Signature=SIGNATURE";
        json::object header{{"chunk_size", std::to_string(part_size)}};
        header["1"] = base + "/part-1" + part;
        header["2"] = base + "/part-2" + part;
        json::object upload{{"href", base + "/complete"}, {"header", header}};
        json::object answer{{"oid", object.at("oid")}, {"size", object.at("size")}};
        answer["actions"] = json::object{{"upload", upload}};
        return text(json::serialize(json::object{{"objects", json::array{answer}}}));
    }
    if (has("/part-")) return {.fields = {{"etag", "\"part\""}}, .body = "stored"};
    if (has("/commit/")) {
        return text(R"({"commitOid":"made","commitUrl":"http://hub/x/)" + number + R"(/commit/made","success":true})");
    }
    if (has("/chat/")) {
        Answer answer{.fields = {{"content-type", "text/event-stream"}}};
        for (const char* letter : {"a", "b", "c", "d"}) answer.body += event(letter);
        answer.cut = answer.body.size() / 2;
        answer.body += "data: [DONE]\n\n";
        return answer;
    }
    if (has("/api/models/")) {
        return text(R"({"id":"x/)" + number + R"(","sha":")" + std::string(commit_of_cells) + R"(","padding":")" +
                    std::string(500, '.') + "\"}");
    }
    return text("{}");
}

void FaultServer::serve_http1(Peer& peer) {
    while (auto request = peer.read_request()) {
        SeenRequest seen{request->method, request->target, request->header("range"), std::move(request->body)};
        Answer answer = this->answer(std::move(seen));
        if (is_silent(answer.fault)) return end(peer, answer.fault);
        std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Status\r\n";
        for (const auto& [name, value] : answer.fields) head += name + ": " + value + "\r\n";
        head += "content-length: " + std::to_string(answer.body.size()) + "\r\n\r\n";
        if (request->method == "HEAD") answer.body.clear();
        if (answer.fault == Fault::none) {
            peer.write(head + answer.body);
            heard(request->target);
            continue;
        }
        peer.write(head + answer.body.substr(0, answer.cut));
        heard(request->target);
        return end(peer, answer.fault);
    }
}

void FaultServer::serve_http2(Peer& connection) {
    H2Peer peer({{3, 100}});
    Fault fault = Fault::none;
    peer.on_request = [&](H2Peer::Exchange& exchange) {
        if (fault != Fault::none) return;
        const std::string target = exchange.field(":path"), method = exchange.field(":method");
        SeenRequest seen{method, target, exchange.field("range"), exchange.body};
        Answer answer = this->answer(std::move(seen));
        fault = answer.fault;
        if (is_silent(fault)) return;
        answer.fields.emplace_back("content-length", std::to_string(answer.body.size()));
        if (method == "HEAD") answer.body.clear();
        const bool whole = fault == Fault::none || method == "HEAD";
        if (!whole) answer.body.resize(answer.cut);
        peer.respond(exchange.id, answer.status, answer.fields, answer.body, whole);
        heard(target);
    };
    connection.write(peer.take());
    while (!connection.ended()) {
        const std::string bytes = connection.read_some(std::chrono::hours(1));
        if (bytes.empty()) return;
        peer.receive(bytes);
        const std::string out = peer.take();
        if (!out.empty() && !connection.write(out)) return;
        if (fault != Fault::none) return end(connection, fault);
    }
}

}  // namespace hfhub::test
