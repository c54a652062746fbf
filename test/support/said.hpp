#pragma once

namespace hfhub::test {

/// Where HFHUB_TEST_LOG names a folder, writes all that the library says to a file there from now on, at the most
/// talkative level, and the text of whatever is thrown (not under sanitizers, which have their own hook for that).
void write_down_what_is_said();

}  // namespace hfhub::test
