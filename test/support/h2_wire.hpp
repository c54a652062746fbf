#pragma once

#include "h2_frames.hpp"
#include "http/h2_session.hpp"

#include <hfhub/error.hpp>

namespace hfhub::test {

/// A client's session whose peer is the test, frame by frame.
struct H2Wire {
    /// What the client sends, added to `sent`; returns only what is new.
    std::vector<H2Frame> out() {
        std::vector<std::byte> bytes;
        client.produce(bytes, 64 << 20);
        auto frames = h2_frames({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        sent.insert(sent.end(), frames.begin(), frames.end());
        return frames;
    }
    /// Hands these bytes to the client; false where it cannot go on.
    bool in(std::string_view bytes) {
        bool fine = true;
        try {
            client.receive(std::as_bytes(std::span(bytes)));
        } catch (const ProtocolError&) {
            fine = false;
        }
        client.deliver();
        return fine;
    }

    http::H2Session client;
    std::vector<H2Frame> sent;
};

}  // namespace hfhub::test
