// A download from a Hub (HF_ENDPOINT) in a process that forks in its middle: fork-download BYTES. The repository
// alice/fork has `large` of that many bytes, and `small`. Prints what is wrong; exit status 0 where nothing is.

#include "child.hpp"

#include <hfhub/hub/hf_api.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <utility>

namespace {

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// What a program that is started now finds open: its standard streams and the folder that it looks at.
std::string descriptors_of_a_program() {
    std::string text;
    FILE* const output = ::popen("ls -l /proc/self/fd", "r");
    if (output == nullptr) return "popen failed";
    char line[512];
    while (std::fgets(line, sizeof line, output) != nullptr) {
        if (std::strstr(line, " -> ") != nullptr) text += std::strchr(line, ':') + 3;
    }
    ::pclose(output);
    return text;
}

std::size_t lines_in(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

int use_in_child(const hfhub::HfApi& api, std::size_t bytes) {
    if (content_of(api.hf_hub_download("alice/fork", "small")) != "small\n") return 1;
    if (content_of(hfhub::HfApi().hf_hub_download("alice/fork", "small")) != "small\n") return 2;
    // Waits until the parent has it, whose lock it must not hold itself.
    if (std::filesystem::file_size(api.hf_hub_download("alice/fork", "large")) != bytes) return 3;
    return 0;
}

}  // namespace

int main(int, char** arguments) {
    const std::size_t bytes = std::stoul(arguments[1]);
    const std::size_t inherited = lines_in(descriptors_of_a_program());
    const hfhub::HfApi api;
    if (api.model_info("alice/fork").id != "alice/fork") return 1;

    std::promise<void> begun, forked;
    bool first = true;
    std::string open;
    const hfhub::ProgressCallback progress = [&](const hfhub::Progress& now) {
        if (now.done == 0 || now.done == bytes || !std::exchange(first, false)) return;
        open = descriptors_of_a_program();
        begun.set_value();
        forked.get_future().wait();
    };
    // Never destroyed: in the child its end would wait for the parent's thread.
    auto& download = *new std::future(std::async(
        std::launch::async, [&] { return api.hf_hub_download("alice/fork", "large", {.progress = &progress}); }));
    if (begun.get_future().wait_for(std::chrono::seconds(20)) != std::future_status::ready) return 2;
    const pid_t child = ::fork();
    if (child == 0) {
        hfhub::test::is_child = true;
        ::alarm(60);
        return use_in_child(api, bytes);
    }
    forked.set_value();
    if (lines_in(open) != inherited) return std::printf("a program inherits:\n%s", open.c_str()), 3;
    const auto path = download.get();
    if (std::filesystem::file_size(path) != bytes) return std::puts("the file has another size"), 4;
    const int status = hfhub::test::status_of(child);
    if (status != 0) return std::printf("the child ended with %d\n", status), 5;
    for (const auto& entry :
         std::filesystem::directory_iterator(path.parent_path().parent_path().parent_path() / "blobs")) {
        if (entry.path().extension() == ".incomplete") return std::puts("an unfinished file is left"), 6;
    }
    return 0;
}
