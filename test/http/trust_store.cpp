#include "http/trust_store.hpp"

#include "support/connecting.hpp"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <sys/stat.h>

#include <cstdio>
#include <thread>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::authority;
using test::ConnectFixture;
using test::context_of;
using test::good_spec;
using test::hello;
using test::local;
using test::Server;
using test::TrustFile;

TEST_CASE("a trust store is read once in the process, and again when its file is another") {
    TrustFile trust;
    const auto first = trust_store(trust.settings());
    CHECK(first->name == trust.path + " (from SSL_CERT_FILE)");
    CHECK(trust_store(trust.settings()) == first);
    TrustSettings unnamed = trust.settings();
    unnamed.source.clear();
    CHECK(trust_store(unnamed) != first);
    std::ofstream(trust.path, std::ios::app) << test::Authority().pem();
    const auto second = trust_store(trust.settings());
    CHECK(second != first);
    CHECK(trust_store(trust.settings()) == second);
}

TEST_CASE("a file in the place of another is read, be it only its inode, its time or its length that differs") {
    TrustFile trust;
    const auto write = [](const std::string& path, std::string_view comment) {
        std::ofstream(path) << authority().pem() << comment << "\n";
    };
    write(trust.path, "one");
    const auto time = std::filesystem::last_write_time(trust.path);
    const auto first = trust_store(trust.settings());
    SUBCASE("inode") {
        write(trust.path + ".new", "two");
        std::filesystem::last_write_time(trust.path + ".new", time);
        std::filesystem::rename(trust.path + ".new", trust.path);
    }
    SUBCASE("time, within a second") {
        write(trust.path, "two");
        std::filesystem::last_write_time(trust.path, time + 1us);
    }
    SUBCASE("time, by seconds") {
        write(trust.path, "two");
        std::filesystem::last_write_time(trust.path, time - 3s);
    }
    SUBCASE("length") {
        write(trust.path, "three");
        std::filesystem::last_write_time(trust.path, time);
    }
    CHECK(trust_store(trust.settings()) != first);
}

TEST_CASE("of a file that changes the last state is kept, and of all files the last few") {
    TrustFile trust;
    const auto time = std::filesystem::last_write_time(trust.path);
    const auto first = trust_store(trust.settings());
    std::filesystem::last_write_time(trust.path, time + 1s);
    const auto second = trust_store(trust.settings());
    std::filesystem::last_write_time(trust.path, time);
    const auto third = trust_store(trust.settings());
    CHECK(second != first);
    CHECK(third != first);
    std::vector<TrustFile> others(8);
    for (const TrustFile& other : others) CHECK(trust_store(other.settings()));
    CHECK(trust_store(others.front().settings()) == trust_store(others.front().settings()));
    CHECK(trust_store(trust.settings()) != third);
}

TEST_CASE("a folder of certificates is trusted, also as one of a list; without any there is an error that names it") {
    test::TempDir folder;
    const std::string pem = authority().pem();
    BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    char name[16];
    std::snprintf(name, sizeof name, "%08lx.0", X509_subject_name_hash(certificate));
    X509_free(certificate);
    BIO_free(bio);
    std::ofstream(folder.path() / name) << pem;
    Server server(hello(), context_of(good_spec()));
    for (const std::string& list : {folder.path().string(), "/no/such/folder:" + folder.path().string()}) {
        CAPTURE(list);
        ConnectFixture f({"", list, "SSL_CERT_DIR", true});
        CHECK(f.read(*f.connect(local(server))) == "hello");
    }
    const TrustSettings none{"", "/no/such/folder:/nor/this", "SSL_CERT_DIR", true};
    const auto error = test::caught<ConnectError>([&] { trust_store(none); });
    CHECK(error.permanent);
    CHECK(std::string(error.what()).find("/no/such/folder:/nor/this (from SSL_CERT_DIR)") != std::string::npos);
}

TEST_CASE("who does not verify reads no trust store") {
    Server server(hello(), context_of(good_spec()));
    ConnectFixture f({"/no/such/file", "", "SSL_CERT_FILE", false});
    CHECK(f.read(*f.connect(local(server))) == "hello");
}

TEST_CASE("threads that ask for a trust store at once all get one") {
    TrustFile trust;
    std::vector<std::shared_ptr<const TrustStore>> got(8);
    std::vector<std::thread> threads;
    for (auto& one : got) threads.emplace_back([&] { one = trust_store(trust.settings()); });
    for (auto& thread : threads) thread.join();
    for (const auto& one : got) CHECK((one && one->certificates));
    CHECK(trust_store(trust.settings()) == trust_store(trust.settings()));
}

namespace {

// What its reader gets only when somebody writes, as from a disk that does not answer.
struct SlowTrustFile {
    test::TempDir dir;
    std::string path = (dir.path() / "ca.pem").string();
    SlowTrustFile() { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }
    TrustSettings settings() const { return {path, "", "SSL_CERT_FILE", true}; }
    void answer() const { std::ofstream(path) << authority().pem(); }
};

awaitable<void> connect(ConnectFixture& f, std::string url, std::chrono::milliseconds length, int* connected) {
    Route route;
    route.target = Url::parse(url);
    ConnectTimes times;
    const auto stream = co_await f.connector.connect(std::move(route), f.limit(length), times);
    ++*connected;
}

}  // namespace

TEST_CASE("connections that begin while the trust store is read wait for it together, as long as their limit says") {
    SlowTrustFile trust;
    Server server(hello(), context_of(good_spec()));
    ConnectFixture f(trust.settings());
    int connected = 0;
    const auto hasty = f.loop.start(connect(f, local(server), 50ms, &connected));
    REQUIRE(f.loop.until([&] { return hasty->done; }));
    CHECK(hasty->outcome() == "TimeoutError");
    trust.answer();  // to the one who went

    std::vector<std::shared_ptr<test::Loop::Task>> patient;
    for (int i = 0; i < 5; ++i) patient.push_back(f.loop.start(connect(f, local(server), 10s, &connected)));
    const auto cancelled = f.loop.start(connect(f, local(server), 10s, &connected));
    const auto late = f.loop.start(connect(f, local(server), 100ms, &connected));
    cancelled->cancel();
    REQUIRE(f.loop.until([&] { return cancelled->done && late->done; }));
    CHECK(cancelled->outcome() == "CancelledError");
    CHECK(late->outcome() == "TimeoutError");
    CHECK(connected == 0);
    std::thread writer([&] { trust.answer(); });
    const auto all_done = [&] {
        return std::all_of(patient.begin(), patient.end(), [](auto& one) { return one->done; });
    };
    CHECK(f.loop.until(all_done));
    writer.join();
    for (const auto& one : patient) CHECK(one->outcome() == "ok");
    CHECK(connected == 5);
}

TEST_CASE("a trust store that fails for one connection is read anew for those who waited") {
    SlowTrustFile trust;
    Server server(hello(), context_of(good_spec()));
    ConnectFixture f(trust.settings());
    int connected = 0;
    const auto first = f.loop.start(connect(f, local(server), 10s, &connected));
    const auto second = f.loop.start(connect(f, local(server), 10s, &connected));
    std::thread writer([&] {
        std::ofstream broken(trust.path);
        broken << "no certificate";
        // There before the reader sees the end of the other one.
        std::ofstream(trust.path + ".new") << authority().pem();
        std::filesystem::rename(trust.path + ".new", trust.path);
    });
    CHECK(f.loop.until([&] { return first->done && second->done; }));
    writer.join();
    CHECK((first->outcome() == "ConnectError") != (second->outcome() == "ConnectError"));
    CHECK(connected == 1);
}
