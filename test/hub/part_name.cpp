#include "hub/part_name.hpp"

#include <doctest/doctest.h>

using namespace hfhub::hub;

TEST_CASE("the names of parts are told from others, and ours from Python's") {
    const std::string name = new_part_name("e");
    CHECK(name.size() == std::string("e.01234567-01234567-01234567.incomplete").size());
    CHECK(read_part_name(name, "e").matches);
    CHECK(read_part_name(name, "e").from_this_host);
    for (const char* python : {"e.incomplete", "e.01234567.incomplete"}) {
        CAPTURE(python);
        CHECK(read_part_name(python, "e").matches);
        CHECK(!read_part_name(python, "e").from_this_host);
    }
    for (const char* other : {"e", "f.01234567.incomplete", "e.0123456.incomplete", "e.0123456x.incomplete",
                              "e.01234567.incomplete.soft", "ee.01234567.incomplete", "e.01234567", ".incomplete",
                              "e.01234567-01234567.incomplete", "e.01234567-01234567-0123456x.incomplete",
                              "e.01234567-01234567+01234567.incomplete", "e.01234567+01234567-01234567.incomplete",
                              "e.01234567-01234567-012345678.incomplete", "exincomplete", "e-01234567.incomplete"}) {
        CAPTURE(other);
        CHECK(!read_part_name(other, "e").matches);
    }
    CHECK(!read_part_name("e.incomplete", "e.incomplete").matches);
    const std::string broken = name.substr(0, name.size() - std::string("7.incomplete").size()) + "x.incomplete";
    CHECK(!read_part_name(broken, "e").from_this_host);
}

TEST_CASE("a part is of this host where the kernel that runs, or the machine, made it") {
    const PartHost here = make_part_host("boot", "machine", "name");
    const auto from_here = [&](const PartHost& made_by) {
        return read_part_name(new_part_name("e", made_by), "e", here).from_this_host;
    };
    CHECK(from_here(here));
    CHECK(from_here(make_part_host("boot", "", "another-container")));
    CHECK(from_here(make_part_host("boot-again", "machine", "name")));
    CHECK(!from_here(make_part_host("boot-again", "machine", "another-host-of-that-image")));
    CHECK(!from_here(make_part_host("elsewhere", "", "name")));
    const PartHost unnamed = make_part_host("", "machine", "localhost");
    CHECK(read_part_name(new_part_name("e", unnamed), "e", unnamed).from_this_host);
    CHECK(!from_here(make_part_host("", "", "")));
}

TEST_CASE("a host that cannot be told from others claims no parts") {
    for (const char* name : {"", "localhost"}) {
        CAPTURE(name);
        const PartHost nobody = make_part_host("", "", name);
        CHECK(!read_part_name(new_part_name("e", nobody), "e", nobody).from_this_host);
    }
}
