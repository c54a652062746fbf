#include <hfhub/hub/hf_uri.hpp>

#include <doctest/doctest.h>

using namespace hfhub;

TEST_CASE("an address is read, written canonically, and read again as the same") {
    struct Case {
        const char *text, *canonical, *page;
    };
    for (const Case& one : {
             Case{"hf://o/m", "hf://models/o/m", "https://huggingface.co/o/m"},
             Case{"hf://datasets/o/d@refs/pr/10/f.csv", "hf://datasets/o/d@refs/pr/10/f.csv",
                  "https://huggingface.co/datasets/o/d/blob/refs/pr/10/f.csv"},
             Case{"hf://o/m@refs%2Fconvert%2Fparquet", "hf://models/o/m@refs/convert/parquet",
                  "https://huggingface.co/o/m/tree/refs/convert/parquet"},
             Case{"hf://o/m@refs/heads/x", "hf://models/o/m@refs/heads/x",
                  "https://huggingface.co/o/m/blob/refs/heads/x"},
             Case{"hf://o/m@a%2Fb/c d", "hf://models/o/m@a%2Fb/c d", "https://huggingface.co/o/m/blob/a%2Fb/c%20d"},
             Case{"hf://buckets/o/b/x/", "hf://buckets/o/b/x", "https://huggingface.co/buckets/o/b/tree/x"},
             Case{"hf.co/spaces/o/s/tree/main/x%2Fy?a#b", "hf://spaces/o/s@main/x/y",
                  "https://huggingface.co/spaces/o/s/blob/main/x/y"},
         }) {
        CAPTURE(one.text);
        const HfUri read = parse_hf_uri(one.text);
        CHECK(read.to_uri() == one.canonical);
        CHECK(read.to_url() == one.page);
        CHECK(parse_hf_uri(one.canonical) == read);
    }
}

TEST_CASE("a special revision is one where it is whole: refs/pr takes numbers, and what begins like it is a segment") {
    CHECK(parse_hf_uri("hf://o/m@refs/pr/1x/f").revision == "refs");
    CHECK(parse_hf_uri("hf://o/m@refs/pr/1x/f").path_in_repo == "pr/1x/f");
    CHECK(parse_hf_uri("hf://o/m@refs/convert/a.b-1/f").revision == "refs/convert/a.b-1");
    CHECK(parse_hf_uri("hf://o/m@refs/pr/1").path_in_repo.empty());
}

TEST_CASE("what is no address is refused with the reason") {
    struct Case {
        const char *text, *reason;
    };
    for (const Case& one :
         {Case{"", "begins neither"}, Case{"o/m", "begins neither"}, Case{"HF://o/m", "begins neither"},
          Case{"hf://", "nothing follows"}, Case{"hf://gpt2", "namespace/name"}, Case{"hf://datasets", "missing after"},
          Case{"hf://dataset/o/d", "plural"}, Case{"hf://o/m@", "is empty"}, Case{"hf://@main", "before '@'"},
          Case{"hf://m@main", "namespace/name"}, Case{"hf://o/../x", "repo"}, Case{"hf://o/m//x", "empty part"},
          Case{"hf://o//x", "namespace/name"}, Case{"hf://buckets/o/b@main", "no revisions"},
          Case{"hf://o/m@%zz", "cannot be used"}, Case{"https://huggingface.co.example.org/o/m", "begins neither"},
          Case{"https://huggingface.co/o", "page of no repository"},
          Case{"https://huggingface.co/o/m/settings", "'settings'"}}) {
        CAPTURE(one.text);
        CHECK_THROWS_WITH_AS(parse_hf_uri(one.text), doctest::Contains(one.reason), HfUriError);
    }
}

TEST_CASE("pages below another endpoint are addresses there, those of the Hub everywhere") {
    CHECK(parse_hf_uri("http://hub.test/hf/datasets/o/d/raw/main/x", "http://hub.test/hf/").path_in_repo == "x");
    CHECK(parse_hf_uri("https://huggingface.co/o/m", "http://hub.test").id == "o/m");
    CHECK_THROWS_AS(parse_hf_uri("http://hub.test/hfx/o/m", "http://hub.test/hf"), HfUriError);
    CHECK_THROWS_AS(parse_hf_uri("http://hub.test/o/m"), HfUriError);
}

TEST_CASE("a mount has a source, an absolute path, and may say whether it is read only") {
    const HfMount mount = parse_hf_mount("hf://datasets/o/d@refs/pr/1/x:/a/b:ro");
    CHECK(mount.source.path_in_repo == "x");
    CHECK(mount.mount_path == "/a/b");
    CHECK(mount.read_only == true);
    CHECK_FALSE(parse_hf_mount("hf://o/m:/data").read_only);
    for (const char* bad :
         {"o/m:/data", "hf://o/m", "hf://o/m:ro", "hf://o/m:/", "hf://o/m:data", "hf://m:/data", "hf://:/data"})
        CHECK_THROWS_AS(parse_hf_mount(bad), HfUriError);
}
