#include "statistics.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace hfhub::local_hub {

namespace {

template <class Self, class Visit>
void each_counter(Self& self, Visit visit) {
    visit("connections_accepted", self.connections_accepted);
    visit("tls_handshakes_failed", self.tls_handshakes_failed);
    visit("http1_connections", self.http1_connections);
    visit("http2_connections", self.http2_connections);
    visit("http1_requests", self.http1_requests);
    visit("http2_requests", self.http2_requests);
    visit("api_requests", self.api_requests);
    visit("resolve_requests", self.resolve_requests);
    visit("lfs_requests", self.lfs_requests);
    visit("storage_reads", self.storage_reads);
    visit("storage_writes", self.storage_writes);
    visit("chat_requests", self.chat_requests);
    visit("other_requests", self.other_requests);
    visit("streams_reset_by_client", self.streams_reset_by_client);
    visit("responses_abandoned", self.responses_abandoned);
    visit("tokens_generated", self.tokens_generated);
    visit("generations_stopped", self.generations_stopped);
    visit("bytes_received", self.bytes_received);
    visit("bytes_sent", self.bytes_sent);
    visit("faults_injected", self.faults_injected);
    visit("authorization_at_storage", self.authorization_at_storage);
}

}  // namespace

void Statistics::reset() {
    each_counter(*this, [](const char*, Counter& counter) { counter = 0; });
}

std::string Statistics::to_json() const {
    boost::json::object object;
    each_counter(*this, [&](const char* name, const Counter& counter) { object[name] = counter.load(); });
    object["connections_open"] = connections_open.load();
    object["streams_open"] = streams_open.load();
    return boost::json::serialize(object);
}

}  // namespace hfhub::local_hub
