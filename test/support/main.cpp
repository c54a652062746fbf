#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "support/said.hpp"

#include <doctest/doctest.h>

namespace {

/// Each test case begins with what is said being written down, whatever the one before it did to the log.
class WriteDown final : public doctest::IReporter {
  public:
    explicit WriteDown(const doctest::ContextOptions&) {}
    void test_case_start(const doctest::TestCaseData&) override { hfhub::test::write_down_what_is_said(); }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("what is said", 1, WriteDown);

}  // namespace
