#pragma once

// Inference Endpoints: models that are deployed for their owner alone.

#include <hfhub/datetime.hpp>
#include <hfhub/error.hpp>
#include <hfhub/hub/api_handle.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// An Inference Endpoint could not be deployed or updated.
class InferenceEndpointError : public Error {
  public:
    using Error::Error;
    std::string_view type() const noexcept override { return "InferenceEndpointError"; }
};

/// An Inference Endpoint was not ready in time.
class InferenceEndpointTimeoutError : public InferenceEndpointError {
  public:
    using InferenceEndpointError::InferenceEndpointError;
    std::string_view type() const noexcept override { return "InferenceEndpointTimeoutError"; }
};

struct InferenceEndpoint {
    std::string name;
    std::string namespace_;
    std::string repository;
    std::string status;  ///< "pending", "initializing", "updating", "running", "paused", "failed", "scaledToZero", …
    std::string health_route;        ///< Below url.
    std::optional<std::string> url;  ///< Where it is asked; for InferenceClientOptions::base_url.
    std::optional<std::string> framework, revision, task;
    std::optional<Datetime> created_at, updated_at;
    std::optional<std::string> type;  ///< "public", "authenticated" or "private".
    json::object raw;                 ///< The whole answer.
};
BOOST_DESCRIBE_STRUCT(InferenceEndpoint, (),
                      (name, namespace_, repository, status, health_route, url, framework, revision, task, created_at,
                       updated_at, type, raw))

/// Hardware that an Inference Endpoint can run on.
struct InferenceEndpointHardware {
    std::string id;
    std::string vendor, region, accelerator, instance_type,
        instance_size;  ///< As create_inference_endpoint takes them.
    std::optional<std::string> architecture;
    std::optional<std::int64_t> num_accelerators, num_cpus;
    std::optional<double> memory_gb, gpu_memory_gb, price_per_hour;
    std::optional<std::string> status;                                ///< "available", "low_availability", …
    std::optional<std::int64_t> max_accelerators, used_accelerators;  ///< Of the namespace.
    json::object raw;                                                 ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(InferenceEndpointHardware, (),
                      (id, vendor, region, accelerator, instance_type, instance_size, architecture, num_accelerators,
                       num_cpus, memory_gb, gpu_memory_gb, price_per_hour, status, max_accelerators, used_accelerators))

/// Of all calls: where `namespace_` is empty, it is the token's owner's.
struct InferenceEndpointOptions {
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<InferenceEndpointOptions>);
BOOST_DESCRIBE_STRUCT(InferenceEndpointOptions, (), (namespace_, token))

struct InferenceCatalogOptions {
    Token token{};
};
static_assert(std::is_trivially_destructible_v<InferenceCatalogOptions>);
BOOST_DESCRIBE_STRUCT(InferenceCatalogOptions, (), (token))

struct CreateInferenceEndpointOptions {
    std::string_view repository{};  ///< Needed, as the next six are.
    std::string_view framework{};   ///< "pytorch", "custom", …
    std::string_view accelerator{}, instance_size{}, instance_type{}, region{}, vendor{};
    std::string_view account_id{};
    std::int64_t min_replica = 1;
    std::int64_t max_replica = 1;
    std::optional<std::int64_t> scale_to_zero_timeout{};  ///< Minutes without a request.
    std::string_view scaling_metric{};                    ///< "pendingRequests" or "hardwareUsage".
    std::optional<double> scaling_threshold{};
    std::string_view revision{};
    std::string_view task{};
    JsonView custom_image{};  ///< A container {"url": …}, or one of an engine {"vLLM": {"url": …}}.
    StringList container_command{};
    StringList container_args{};
    JsonView env{}, secrets{};  ///< Objects of texts.
    std::string_view type = "authenticated";
    std::string_view domain{}, path{};  ///< Where it is reached instead of at a made-up address.
    std::optional<bool> cache_http_responses{};
    StringList tags{};
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<CreateInferenceEndpointOptions>);
BOOST_DESCRIBE_STRUCT(CreateInferenceEndpointOptions, (),
                      (repository, framework, accelerator, instance_size, instance_type, region, vendor, account_id,
                       min_replica, max_replica, scale_to_zero_timeout, scaling_metric, scaling_threshold, revision,
                       task, custom_image, container_command, container_args, env, secrets, type, domain, path,
                       cache_http_responses, tags, namespace_, token))

/// What is not given stays as it is.
struct UpdateInferenceEndpointOptions {
    std::string_view accelerator{}, instance_size{}, instance_type{};
    std::optional<std::int64_t> min_replica{}, max_replica{}, scale_to_zero_timeout{};
    std::string_view scaling_metric{};
    std::optional<double> scaling_threshold{};
    std::string_view repository{}, framework{}, revision{}, task{};
    JsonView custom_image{};
    StringList container_command{};
    StringList container_args{};
    std::optional<std::int64_t> tensor_parallel_size{};  ///< Accelerators that share one copy of the model.
    std::optional<std::int64_t> data_parallel_size{};    ///< Copies of the model.
    JsonView env{}, secrets{};
    std::string_view domain{}, path{};
    std::optional<bool> cache_http_responses{};
    StringList tags{};
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<UpdateInferenceEndpointOptions>);
BOOST_DESCRIBE_STRUCT(UpdateInferenceEndpointOptions, (),
                      (accelerator, instance_size, instance_type, min_replica, max_replica, scale_to_zero_timeout,
                       scaling_metric, scaling_threshold, repository, framework, revision, task, custom_image,
                       container_command, container_args, tensor_parallel_size, data_parallel_size, env, secrets,
                       domain, path, cache_http_responses, tags, namespace_, token))

struct CreateInferenceEndpointFromCatalogOptions {
    std::string_view name{};         ///< Empty: a made-up one.
    std::string_view accelerator{};  ///< "cpu", "gpu", "neuron", …
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<CreateInferenceEndpointFromCatalogOptions>);
BOOST_DESCRIBE_STRUCT(CreateInferenceEndpointFromCatalogOptions, (), (name, accelerator, namespace_, token))

struct ResumeInferenceEndpointOptions {
    bool running_ok = true;  ///< One that runs is no error.
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ResumeInferenceEndpointOptions>);
BOOST_DESCRIBE_STRUCT(ResumeInferenceEndpointOptions, (), (running_ok, namespace_, token))

struct WaitForInferenceEndpointOptions {
    std::optional<std::chrono::milliseconds> timeout{};  ///< Nothing: as long as it takes.
    std::chrono::milliseconds refresh_every{5000};       ///< Between two questions.
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<WaitForInferenceEndpointOptions>);
BOOST_DESCRIBE_STRUCT(WaitForInferenceEndpointOptions, (), (timeout, refresh_every, namespace_, token))

/// They ask api.endpoints.huggingface.cloud, whatever Hub the object asks. All of them throw HfHubHttpError where that
/// refuses and, where no namespace is given, what whoami throws, and InvalidArgumentError for an organization's token.
template <class Mode>
class BasicEndpoints : public virtual ApiHandle {
  public:
    /// Those of a namespace; "*": of the token's owner and all organizations that let it see theirs.
    typename Mode::template result<std::vector<InferenceEndpoint>> list_inference_endpoints(
        InferenceEndpointOptions options = {}) const;
    typename Mode::template result<InferenceEndpoint> get_inference_endpoint(
        std::string_view name, InferenceEndpointOptions options = {}) const;
    /// Deploys a model, which costs money while it runs. Throws InvalidArgumentError where what is needed is missing.
    typename Mode::template result<InferenceEndpoint> create_inference_endpoint(
        std::string_view name, CreateInferenceEndpointOptions options) const;
    /// Changes what is given. For parallel sizes without an image, the present image is fetched and sent back; throws
    /// InvalidArgumentError where it has credentials, which the server does not tell.
    typename Mode::template result<InferenceEndpoint> update_inference_endpoint(
        std::string_view name, UpdateInferenceEndpointOptions options = {}) const;
    typename Mode::template result<void> delete_inference_endpoint(std::string_view name,
                                                                   InferenceEndpointOptions options = {}) const;
    /// Stops it until it is resumed.
    typename Mode::template result<InferenceEndpoint> pause_inference_endpoint(
        std::string_view name, InferenceEndpointOptions options = {}) const;
    typename Mode::template result<InferenceEndpoint> resume_inference_endpoint(
        std::string_view name, ResumeInferenceEndpointOptions options = {}) const;
    /// Stops it until it is asked something.
    typename Mode::template result<InferenceEndpoint> scale_to_zero_inference_endpoint(
        std::string_view name, InferenceEndpointOptions options = {}) const;
    /// Asks until it runs and its health route answers. Throws InferenceEndpointError where it has failed,
    /// InferenceEndpointTimeoutError where that takes longer, InvalidArgumentError for a negative timeout or an
    /// interval that is not positive.
    typename Mode::template result<InferenceEndpoint> wait_for_inference_endpoint(
        std::string_view name, WaitForInferenceEndpointOptions options = {}) const;
    /// The hardware that a namespace can deploy on.
    typename Mode::template result<std::vector<InferenceEndpointHardware>> list_inference_endpoints_hardware(
        InferenceEndpointOptions options = {}) const;

    /// Models that can be deployed without choosing hardware.
    typename Mode::template result<std::vector<std::string>> list_inference_catalog(
        InferenceCatalogOptions options = {}) const;
    /// Deploys one of them. Throws HfValidationError for a malformed repo_id.
    typename Mode::template result<InferenceEndpoint> create_inference_endpoint_from_catalog(
        std::string_view repo_id, CreateInferenceEndpointFromCatalogOptions options = {}) const;
};

extern template class BasicEndpoints<Blocking>;
extern template class BasicEndpoints<Awaiting>;

}  // namespace hfhub
