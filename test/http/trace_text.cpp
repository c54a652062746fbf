#include <hfhub/trace.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace std::chrono_literals;

namespace {

AttemptTrace new_connection() {
    AttemptTrace trace;
    trace.method = "GET";
    trace.url = "https://hub.test/api";
    trace.max_attempts = 6;
    trace.status = 200;
    trace.protocol = "HTTP/2";
    trace.remote_address = "192.0.2.1:443";
    trace.tls_version = "TLSv1.3";
    trace.tls_cipher = "TLS_AES_256_GCM_SHA384";
    trace.queued = 28'000us;
    trace.dns = 3'000us;
    trace.connect = 11'000us;
    trace.tls = 14'000us;
    trace.first_byte = 95'120us;
    trace.total = 96'000us;
    trace.bytes_received = 4096;
    trace.request_id = "id-1";
    return trace;
}

}  // namespace

TEST_CASE("a try in one line") {
    AttemptTrace trace = new_connection();
    CHECK(to_string(trace) ==
          "GET https://hub.test/api: 200, try 1/6, HTTP/2 to 192.0.2.1:443 (new, DNS 3.0 ms, TCP 11.0 ms, TLS 14.0 ms, "
          "TLSv1.3 TLS_AES_256_GCM_SHA384), first byte 95.1 ms, total 96.0 ms, sent 0 B, received 4096 B, id id-1");
    trace.proxy = "proxy.test:3128";
    trace.proxy_handshake = 2'000us;
    trace.tls_resumed = true;
    CHECK(
        to_string(trace).find("to 192.0.2.1:443 through the proxy proxy.test:3128 (new, DNS 3.0 ms, TCP 11.0 ms, proxy "
                              "2.0 ms, TLS 14.0 ms, TLSv1.3 TLS_AES_256_GCM_SHA384 resumed)") != std::string::npos);
    trace = new_connection();
    trace.reused = true;
    trace.dns = trace.connect = trace.tls = std::nullopt;
    trace.tls_version = trace.tls_cipher = {};
    trace.queued = 5us;
    trace.wait = 512ms;
    trace.status = 503;
    trace.reason = "status 503";
    CHECK(
        to_string(trace) ==
        "GET https://hub.test/api: 503, try 1/6, HTTP/2 to 192.0.2.1:443 (reused), queued 0.0 ms, first byte 95.1 ms, "
        "total 96.0 ms, sent 0 B, received 4096 B, id id-1; next try after 512 ms: status 503");
}

TEST_CASE("a try without an answer in one line") {
    AttemptTrace trace;
    trace.method = "PUT";
    trace.url = "http://hub.test/";
    trace.attempt = trace.max_attempts = 2;
    trace.total = 250us;
    trace.error = "refused";
    trace.reason = "refused on try 2, the last";
    CHECK(to_string(trace) ==
          "PUT http://hub.test/: no answer, try 2/2, total 0.2 ms, sent 0 B, received 0 B; no further try: "
          "refused on try 2, the last");
    trace.reason = {};
    CHECK(to_string(trace).ends_with("received 0 B; refused"));
}
