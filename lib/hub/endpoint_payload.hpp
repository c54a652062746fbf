#pragma once

// Inference Endpoints as their API reads and writes them. No I/O.

#include <hfhub/hub/endpoints.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// Throws InvalidArgumentError where something that is needed is missing.
json::object create_payload(std::string_view name, const CreateInferenceEndpointOptions& options);
/// What is to change; parallel sizes only where the image is given too.
json::object update_payload(const UpdateInferenceEndpointOptions& options);

struct ParallelSizes {
    std::optional<std::int64_t> tensor, data;
    bool given() const noexcept { return tensor || data; }
};
/// The image with these sizes in its engine's settings. Throws InvalidArgumentError for an image without an engine.
json::object with_parallel_sizes(json::object image, const ParallelSizes& sizes);
/// The image that runs, to be sent back. Throws InvalidArgumentError where its credentials are not known.
json::object present_image(const InferenceEndpoint& endpoint);

/// Throws JsonError where it is no Inference Endpoint.
InferenceEndpoint endpoint_of(const json::value& answer, std::string_view owner);
/// All hardware of an answer that has it by vendor and region.
std::vector<InferenceEndpointHardware> hardware_of(const json::value& answer);
/// Whether an Inference Endpoint of the Hub's is meant, so that the Hub's token may go there.
bool is_endpoint_host(std::string_view url);

}  // namespace hfhub::hub
