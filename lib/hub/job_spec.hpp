#pragma once

// What a Job is told to do, as the Hub reads it. No I/O.

#include <hfhub/hub/jobs.hpp>

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// What the calls that make Jobs have in common.
struct JobSettings {
    std::string image;
    std::vector<std::string> command;
    JsonView env, secrets, labels;
    std::string_view flavor;
    JobTimeout timeout;
    std::string name;
    std::span<const Volume> volumes;
    std::span<const std::int64_t> expose;
    bool ssh = false;
    std::string_view resource_group_id;
};

/// What is sent. Throws InvalidArgumentError where the name stands in the labels too, or labels are no object.
json::object job_spec(const JobSettings& settings);

/// A name that tells the image and, by some digits of a hash, the command: the same again for the same.
std::string job_name(std::string_view image, const std::vector<std::string>& command);
/// The same for a script of uv's.
std::string uv_job_name(std::string_view script, const std::vector<std::string>& arguments);

/// The command line of uv.
struct UvCommand {
    std::string script;
    std::vector<std::string> arguments, dependencies;
    std::string python;
    bool takes_data_mount = false;  ///< A volume is mounted where local files would go.
};
std::vector<std::string> command_line(const UvCommand& uv);
/// Whether a word of it looks like a local file, so that one that is not there is a mistake.
bool looks_like_file(std::string_view word);

}  // namespace hfhub::hub
