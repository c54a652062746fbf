// Uploads a file in a commit of its own, and makes the repository where there is none:
//   example-upload org/name FILE [PATH_IN_REPO]
#include <hfhub/hfhub.hpp>

#include <filesystem>
#include <iostream>

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: example-upload org/name FILE [PATH_IN_REPO]\n";
        return 2;
    }
    const std::filesystem::path file = argv[2];
    const std::string path_in_repo = argc > 3 ? argv[3] : file.filename().string();
    try {
        const hfhub::HfApi api;
        api.create_repo(argv[1], {.exist_ok = true});
        std::cout << api.upload_file(file, path_in_repo, argv[1]).commit_url << "\n";
    } catch (const hfhub::Error& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
