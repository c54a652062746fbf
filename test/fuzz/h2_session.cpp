// HTTP/2 against a server that may send anything, with several streams open: the session fails or lives on, what it
// holds and answers is bounded, and every stream is told of its end exactly once.

#include "http/h2_session.hpp"

#include "fuzz.hpp"

#include <hfhub/error.hpp>

#include <array>
#include <string>

namespace {

using namespace hfhub;
using namespace hfhub::http;
using namespace hfhub::fuzz;

struct Stream final : H2Stream {
    void on_news() override {
        require(ends == 0, "a stream that has ended has no news");
        if (closed) ++ends;
    }
    int ends = 0;
    bool released = false;
    std::string body = std::string(3000, 'b');
};

class Client {
  public:
    Client() {
        for (Stream& stream : streams_) open(stream);
        send();
    }

    void receive(std::string_view bytes) {
        received_ += bytes.size();
        try {
            session_.receive(std::as_bytes(std::span(bytes)));
        } catch (const ProtocolError&) {
            failed = true;
        }
        session_.deliver();
        send();
        failed = failed || session_.broken();
    }

    /// What a caller may do at any time.
    void act(unsigned what) {
        Stream& stream = streams_[what % streams_.size()];
        if (stream.released) return;
        switch (what / 4 % 4) {
            case 0: {
                std::array<std::byte, 1000> scrap;
                session_.consumed(stream, stream.received.take(scrap));
                break;
            }
            case 1:
                if (stream.outgoing.empty() && !stream.last_outgoing) {
                    stream.outgoing = std::as_bytes(std::span(stream.body));
                    stream.last_outgoing = true;
                    session_.resume(stream);
                }
                break;
            case 2:
                if (what % 7 == 0) {
                    session_.release(stream);
                    stream.released = true;
                }
                break;
            default:
                session_.ping();
        }
        send();
    }

    void end() {
        session_.fail_all("the connection is gone");
        require(session_.open_streams() == 0, "no stream is left open");
        require(session_.free_slots() == 0, "nothing new begins on what is gone");
        for (const Stream& stream : streams_) {
            require(stream.released || (stream.closed && stream.ends == 1), "a stream ends exactly once");
            require(stream.headers.size() <= 256 && stream.headers.bytes() <= 64 * 1024, "fields are bounded");
            require(stream.received.size() <= received_, "no more is held than came");
        }
    }

    bool failed = false;

  private:
    void open(Stream& stream) {
        Request request;
        const bool with_body = &stream != &streams_[0];
        request.method = with_body ? Method::post : Method::get;
        request.url = Url::parse("https://hub.example/api/models?a=b");
        stream.last_outgoing = &stream != &streams_[2];
        if (with_body) stream.outgoing = std::as_bytes(std::span(stream.body));
        session_.submit(stream, request, with_body, std::nullopt);
    }

    void send() {
        std::vector<std::byte> out;
        try {
            session_.produce(out, 1 << 20);
        } catch (const ProtocolError&) {
            failed = true;
        }
        sent_ += out.size();
        acts_ += 1;
        require(sent_ <= 64 * 1024 + 16 * received_ + 64 * acts_, "what is answered is in proportion to what came");
    }

    std::array<Stream, 4> streams_;
    H2Session session_;
    std::size_t received_ = 0, sent_ = 0, acts_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const unsigned choice = input.choice();
    Client client;
    Sequence sequence(choice);
    using namespace std::string_view_literals;
    if ((choice & 1) != 0) client.receive("\0\0\0\4\0\0\0\0\0"sv);  // SETTINGS, without which nothing is heard
    for (const std::string_view piece : pieces(input.rest(), choice / 2)) {
        if (client.failed) break;
        client.receive(piece);
        if ((choice & 2) != 0) client.act(sequence.next(256));
    }
    client.end();
    return 0;
}
