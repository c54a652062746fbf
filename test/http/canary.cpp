// The forms of coroutine code that the library relies on. g++ 12 destroys some temporaries twice in other forms (a
// braced aggregate with owning members in a co_await statement, a capturing lambda temporary, ?: with co_await); should
// a compiler break one of these too, it shows here, by its name and under ASan, before it shows as a crash elsewhere.

#include "support/loop.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

using namespace hfhub;
using test::Loop;

namespace {

// Counts lives by address: a second destruction, or one of what was never made, is seen.
class Tracked {
  public:
    Tracked(std::string text = {}) : text_(std::move(text)) { born(); }
    Tracked(const Tracked& other) : text_(other.text_) { born(); }
    Tracked(Tracked&& other) noexcept : text_(std::move(other.text_)) { born(); }
    Tracked& operator=(const Tracked&) = default;
    Tracked& operator=(Tracked&&) = default;
    ~Tracked() {
        if (living().erase(this) == 0) ++wrong();
    }
    const std::string& text() const { return text_; }
    static std::set<const Tracked*>& living() {
        static std::set<const Tracked*> all;
        return all;
    }
    static int& wrong() {
        static int count = 0;
        return count;
    }

  private:
    void born() {
        if (!living().insert(this).second) ++wrong();
    }
    std::string text_;
};

struct Options {
    Tracked revision;
    std::optional<Tracked> extra;
    int number = 0;
};

// As the public options: views only.
struct Views {
    std::string_view revision{};
    std::optional<std::string_view> extra{};
    std::span<const std::string_view> list{};
    int number = 0;
};

awaitable<Tracked> by_value(Tracked name, Options options) {
    co_await asio::this_coro::executor;
    co_return Tracked(name.text() + options.revision.text());
}

awaitable<Tracked> by_reference(const Options& options) {
    co_await asio::this_coro::executor;
    co_return Tracked(options.revision.text());
}

awaitable<Tracked> with_views(std::string_view name, Views views = {}) {
    std::string text = std::string(name) + std::string(views.revision) + std::string(views.extra.value_or(""));
    for (const auto one : views.list) text += one;
    co_await asio::this_coro::executor;
    co_return Tracked(text);
}

awaitable<std::pair<Tracked, int>> pair() {
    co_await asio::this_coro::executor;
    co_return std::pair<Tracked, int>(Tracked("pair, long enough to be on the heap"), 1);
}

awaitable<void> failing(Tracked reason) {
    co_await asio::this_coro::executor;
    throw std::runtime_error(reason.text());
}

const std::string base = "text that is long enough to be on the heap, ";

awaitable<std::string> named_options() {
    Options options;
    options.revision = Tracked(base);
    options.extra = Tracked(base);
    Tracked result = co_await by_value(Tracked("a"), std::move(options));
    co_return result.text();
}

awaitable<std::string> named_options_by_reference() {
    const Options options{.revision = Tracked(base), .extra = Tracked(base)};
    const Tracked result = co_await by_reference(options);
    co_return "a" + result.text();
}

awaitable<std::string> call_first_await_later() {
    auto call = by_value(Tracked("a"), Options{.revision = Tracked(base), .extra = std::nullopt});
    const Tracked result = co_await std::move(call);
    co_return result.text();
}

awaitable<std::string> braced_views() {
    const std::string_view list[] = {"text that is ", "long enough "};
    const Tracked result = co_await with_views("a", {.revision = "", .list = list, .number = 1});
    co_return result.text() + "to be on the heap, ";
}

awaitable<std::string> omitted_views() {
    const Tracked result = co_await with_views("a");
    co_return result.text() + base;
}

awaitable<std::string> no_binding_from_await() {
    auto both = co_await pair();
    auto& [tracked, number] = both;
    co_return number == 1 && !tracked.text().empty() ? "a" + base : std::string();
}

awaitable<std::string> if_instead_of_conditional() {
    std::string text;
    if (text.empty()) {
        const Tracked result = co_await with_views("a");
        text = result.text();
    } else {
        const Tracked result = co_await with_views("b");
        text = result.text();
    }
    co_return text + base;
}

awaitable<std::string> reference_captures() {
    const Tracked kept(base);
    const auto lambda = [&]() -> awaitable<std::string> { co_return "a" + kept.text(); };
    co_return co_await lambda();
}

awaitable<std::string> exceptions() {
    std::string text;
    try {
        co_await failing(Tracked(base));
    } catch (const std::runtime_error& error) {
        text = error.what();
    }
    co_return "a" + text;
}

awaitable<std::string> loops() {
    std::vector<Tracked> results;
    for (int i = 0; i < 3; ++i) {
        Tracked one = co_await with_views("a");
        results.push_back(std::move(one));
    }
    co_return results.back().text() + base;
}

}  // namespace

TEST_CASE("the coroutine forms that the library relies on neither lose nor double what they hold") {
    const std::pair<const char*, awaitable<std::string> (*)()> forms[] = {
        {"named options", named_options},
        {"named options by reference", named_options_by_reference},
        {"call first, await later", call_first_await_later},
        {"braced options of views", braced_views},
        {"omitted options of views", omitted_views},
        {"no structured binding from co_await", no_binding_from_await},
        {"if instead of ?:", if_instead_of_conditional},
        {"captures by reference", reference_captures},
        {"exceptions", exceptions},
        {"loops", loops},
    };
    for (const auto& [name, form] : forms) {
        CAPTURE(std::string(name));
        {
            Loop loop;
            CHECK(loop.run(form()) == "a" + base);
        }
        CHECK(Tracked::living().empty());
        CHECK(Tracked::wrong() == 0);
    }
}
