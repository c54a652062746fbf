#include "http/workers.hpp"

#include "http/file_source.hpp"
#include "support/few_threads.hpp"
#include "support/loop.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <semaphore>
#include <thread>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;

TEST_CASE("work runs on another thread and its result and exception come back") {
    Loop loop;
    Workers workers(*loop.waits, 2);
    const auto here = std::this_thread::get_id();
    const auto there = loop.run(workers.run([] { return std::this_thread::get_id(); }));
    CHECK(there != here);
    CHECK(loop.run(workers.run([] { return std::string("text"); })) == "text");
    CHECK(test::outcome([&] { loop.run(workers.run([]() -> int { throw IoError("broken"); })); }) == "IoError");
    CHECK(test::outcome([&] { loop.run(workers.run([] { throw IoError("broken"); })); }) == "IoError");
}

TEST_CASE("jobs that come together run side by side, also when a thread was idle") {
    Loop loop;
    Workers workers(*loop.waits, 2);
    loop.run(workers.run([] {}));
    std::this_thread::sleep_for(5ms);  // lets the thread become idle; without it the test passes too
    std::binary_semaphore second_ran(0);
    std::atomic<bool> in_time = false;
    const auto first = loop.start(workers.run([&] { in_time = second_ran.try_acquire_for(5s); }));
    const auto second = loop.start(workers.run([&] { second_ran.release(); }));
    CHECK(loop.until([&] { return first->done && second->done; }));
    CHECK(in_time);
}

TEST_CASE("a cancelled caller does not wait for its work; a look-up has a limit") {
    Loop loop;
    Workers workers(*loop.waits, 1);
    std::binary_semaphore go(0);
    const auto task = loop.start(workers.run([&] { go.try_acquire_for(10s); }));
    task->cancel();
    loop.turn();
    CHECK(task->outcome() == "CancelledError");
    go.release();
    auto hang = std::make_shared<std::binary_semaphore>(0);
    const Limit limit = limit_from_now(TimeoutPhase::connect, 20ms, Clock::time_point::max());
    auto work = [hang] { return hang->try_acquire_for(10s); };
    const auto hanging = workers.start_detached(std::move(work));
    CHECK(test::outcome([&] { loop.run(workers.result(hanging, limit)); }) == "TimeoutError");
    CHECK_FALSE(hanging.done());
    hang->release();
}

TEST_CASE("several wait for one work: each gets its result, or leaves before the others") {
    Loop loop;
    Workers workers(*loop.waits, 1);
    auto go = std::make_shared<std::binary_semaphore>(0);
    auto work = [go] {
        go->try_acquire_for(10s);
        return std::string("found");
    };
    const auto pending = workers.start_detached(std::move(work));
    std::vector<std::string> results(3);
    const auto wait = [&](std::string& result) -> awaitable<void> {
        const Limit limit = limit_from_now(TimeoutPhase::connect, 8s, Clock::time_point::max());
        result = co_await workers.result(pending, limit);
    };
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (auto& result : results) tasks.push_back(loop.start(wait(result)));
    tasks[0]->cancel();
    loop.turn();
    CHECK(tasks[0]->outcome() == "CancelledError");
    go->release();
    CHECK(loop.until([&] { return tasks[1]->done && tasks[2]->done; }));
    CHECK(results == std::vector<std::string>{"", "found", "found"});
    CHECK(pending.done());
    CHECK(go.use_count() == 1);  // what the work held is let go as it ends
    const Limit limit = limit_from_now(TimeoutPhase::connect, 8s, Clock::time_point::max());
    CHECK(loop.run(workers.result(pending, limit)) == "found");
}

TEST_CASE("a call with a deadline does not wait longer for a disk that does not answer") {
    Loop loop;
    Workers workers(*loop.waits, 1);
    const auto hang = std::make_shared<std::binary_semaphore>(0);
    const CallWorkers hurried(workers, Clock::now() + 30ms);
    auto work = [hang] { hang->try_acquire_for(10s); };
    const auto begin = Clock::now();
    CHECK(test::outcome([&] { loop.run(hurried.run(work)); }) == "TimeoutError");
    CHECK(Clock::now() - begin < 8s);
    hang->release();
    CHECK(loop.run(CallWorkers(workers).run([] { return 1; })) == 1);
}

TEST_CASE("there is always one thread") {
    Loop loop;
    Workers workers(*loop.waits, 0);
    const auto task = loop.start(workers.run([] {}));
    CHECK(loop.until([&] { return task->done; }, 2s));
    CHECK(task->outcome() == "ok");
}

TEST_CASE("there are never more threads than allowed") {
    Loop loop;
    Workers workers(*loop.waits, 2);
    std::atomic<int> running = 0, most = 0;
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (int i = 0; i < 6; ++i) {
        tasks.push_back(loop.start(workers.run([&] {
            const int now = ++running;
            if (now > most) most = now;
            std::this_thread::sleep_for(10ms);
            --running;
        })));
    }
    for (const auto& task : tasks) CHECK(loop.until([&] { return task->done; }));
    CHECK(most == 2);
}

TEST_CASE("threads without work end at once with their owner") {
    Loop loop;
    auto shortest = Clock::duration::max();
    for (int round = 0; round < 4; ++round) {
        std::optional<Workers> workers(std::in_place, *loop.waits, 2);
        loop.run(workers->run([] {}));
        const auto begin = Clock::now();
        workers.reset();
        shortest = std::min(shortest, Clock::now() - begin);
    }
    CHECK(shortest < 250ms);
}

TEST_CASE("a disk that does not answer does not hold up the end") {
    Loop loop;
    const auto hang = std::make_shared<std::binary_semaphore>(0), done = std::make_shared<std::binary_semaphore>(0);
    std::optional<Workers> workers(std::in_place, *loop.waits, 2);
    const auto task = loop.start(workers->run([hang, done] {
        hang->try_acquire_for(20s);
        done->release();
    }));
    loop.run(workers->run([] {}));
    loop.waits->shutdown();
    const auto begin = Clock::now();
    workers.reset();
    CHECK(Clock::now() - begin < 5s);
    loop.turn();
    CHECK(task->outcome() == "CancelledError");
    hang->release();
    CHECK(done->try_acquire_for(5s));
}

TEST_CASE("without a thread for it a job fails by name, and one thread does for all") {
    Loop loop;
    Workers workers(*loop.waits, 2);
    std::atomic<bool> ran = false;
    {
        const test::FewThreads none;
        CHECK(test::outcome([&] { loop.run(workers.run([&] { ran = true; })); }) == "ResourceError");
        CHECK(test::outcome([&] { loop.run(workers.run_detached([] { return 1; }, Limit{})); }) == "ResourceError");
    }
    CHECK(loop.run(workers.run([] { return 1; })) == 1);
    CHECK_FALSE(ran);
    const test::FewThreads none;
    const auto first = loop.start(workers.run([] {})), second = loop.start(workers.run([] {}));
    CHECK(loop.until([&] { return first->done && second->done; }));
    CHECK(first->outcome() == "ok");
    CHECK(second->outcome() == "ok");
}

TEST_CASE("after the shutdown what runs is finished, and what has not begun never runs") {
    Loop loop;
    std::atomic<int> ran = 0;
    std::binary_semaphore begun(0), go(0);
    std::shared_ptr<Loop::Task> running, queued, detached, late;
    {
        Workers workers(*loop.waits, 1);
        running = loop.start(workers.run([&] {
            begun.release();
            go.try_acquire_for(10s);
            ++ran;
        }));
        begun.acquire();
        queued = loop.start(workers.run([&] { ran += 10; }));
        loop.waits->shutdown();
        workers.shutdown();
        late = loop.start(workers.run([&] { ran += 100; }));
        const auto look_up = [&]() -> awaitable<void> {
            auto work = [&] { return ran += 1000; };
            const auto pending = workers.start_detached(std::move(work));
            co_await workers.result(pending, Limit{});
        };
        detached = loop.start(look_up());
        go.release();
    }
    loop.turn();
    CHECK(ran == 1);
    for (const auto& task : {running, queued, detached, late}) CHECK(task->outcome() == "CancelledError");
}

TEST_CASE("a file, or part of it, as a request's body") {
    Loop loop;
    Workers workers(*loop.waits, 1);
    test::TempDir dir;
    const auto path = dir.path() / "file";
    std::string content;
    for (int i = 0; i < 3'000'000; ++i) content += static_cast<char>('a' + i % 26);
    std::ofstream(path, std::ios::binary) << content;
    const auto read = [&](FileSource& source) {
        std::string out;
        std::vector<std::byte> buffer(100'000);
        const auto all = [&]() -> awaitable<void> {
            for (;;) {
                const std::size_t n = co_await source.read_some(buffer);
                if (n == 0) co_return;
                out.append(reinterpret_cast<const char*>(buffer.data()), n);
            }
        };
        loop.run(all());
        return out;
    };
    FileSource whole(workers, path);
    CHECK(whole.size() == content.size());
    CHECK((read(whole) == content));
    CHECK(whole.rewind());
    CHECK((read(whole) == content));
    FileSource part(workers, path, 1'000'001, 50);
    CHECK(part.size() == 50);
    CHECK(read(part) == content.substr(1'000'001, 50));
    FileSource rest(workers, path, content.size() - 3);
    CHECK(read(rest) == content.substr(content.size() - 3));
    CHECK(test::outcome([&] { FileSource(workers, path, 0, content.size() + 1); }) == "IoError");
    CHECK(test::outcome([&] { FileSource(workers, dir.path() / "none"); }) == "IoError");
    FileSource shrunk(workers, path);
    std::filesystem::resize_file(path, 10);
    CHECK(test::outcome([&] { read(shrunk); }) == "IoError");
}

TEST_CASE("bodies are read whole, up to a limit") {
    Loop loop;
    const auto read = [&](std::string text, std::size_t limit) {
        const Body body = memory_body(std::move(text));
        return loop.run(read_all(body.get(), limit));
    };
    CHECK(read("hello", 5) == "hello");
    CHECK(read("", 5).empty());
    CHECK(test::outcome([&] { read("hello!", 5); }) == "ProtocolError");
    CHECK(loop.run(read_all(nullptr, 5)).empty());
    std::array<std::byte, 4> buffer;
    CHECK(loop.run(read_some(nullptr, buffer)) == 0);
}
