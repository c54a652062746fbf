// hfhub-call --mode sync|async: performs recorded calls, one JSON case per line, one JSON answer per line.

#include "conformance/call.hpp"

#include "conformance/base_urls.hpp"
#include "core/url.hpp"
#include "http/session.hpp"
#include "support/said.hpp"

#include <hfhub/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/core/demangle.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>
#include <map>
#include <typeinfo>

namespace hfhub::conformance {

namespace {

using namespace std::chrono_literals;

std::map<std::string_view, Method>& methods() {
    static std::map<std::string_view, Method> table;
    return table;
}

}  // namespace

Registration::Registration(std::vector<Method> entries) {
    for (Method& entry : entries) methods().emplace(entry.name, std::move(entry));
}

const Method* find_method(std::string_view name) {
    const auto it = methods().find(name);
    return it == methods().end() ? nullptr : &it->second;
}

json::value run(awaitable<json::value> work) {
    asio::io_context io;
    std::exception_ptr failure;
    json::value result;
    asio::co_spawn(io, std::move(work), [&](std::exception_ptr error, json::value value) {
        failure = std::move(error);
        result = std::move(value);
    });
    io.run();
    if (failure) std::rethrow_exception(failure);
    return result;
}

namespace {

/// Typed values of the recording in the form that the mapping reads.
json::value plain(const json::value& value, std::string_view tmp) {
    if (const json::array* array = value.if_array()) {
        json::array out;
        for (const json::value& item : *array) out.push_back(plain(item, tmp));
        return out;
    }
    const json::object* object = value.if_object();
    if (!object) return value;
    if (const json::value* path = object->if_contains("$path")) {
        return json::string(std::string(tmp) + "/" + std::string(path->as_string()));
    }
    if (const json::value* time = object->if_contains("$datetime")) return *time;
    json::object out;
    for (const auto& [name, item] : *object) {
        if (name != "$obj") out.emplace(name, plain(item, tmp));
    }
    return out;
}

json::object object_of(const json::object& from, std::string_view name, std::string_view tmp = {}) {
    const json::value* value = from.if_contains(name);
    if (!value || !value->is_object()) return {};
    return plain(*value, tmp).get_object();
}

std::vector<std::pair<std::string, std::string>> names_and_values(const json::value& value) {
    std::vector<std::pair<std::string, std::string>> out;
    if (value.is_string()) return {{std::string(value.get_string()), ""}};
    for (const auto& [name, text] : value.as_object()) out.emplace_back(name, text.as_string());
    return out;
}

/// The constructor's arguments; the object looks at their texts only while it is made.
HfApiOptions api_options(const json::object& init) {
    HfApiOptions options;
    for (const auto& [name, value] : init) {
        if (value.is_null()) continue;
        if (name == "endpoint") {
            options.endpoint = value.as_string();
        } else if (name == "token") {
            options.token = value.is_bool() ? Token(value.get_bool()) : Token(std::string_view(value.as_string()));
        } else if (name == "library_name") {
            options.library_name = value.as_string();
        } else if (name == "library_version") {
            options.library_version = value.as_string();
        } else if (name == "user_agent") {
            options.user_agent = names_and_values(value);
        } else if (name == "headers") {
            options.headers = names_and_values(value);
        } else {
            throw Unsupported("HfApi has no argument " + std::string(name));
        }
    }
    return options;
}

InferenceClientOptions inference_options(const json::object& init) {
    InferenceClientOptions options;
    const std::map<std::string_view, std::string*> texts = {{"model", &options.model},
                                                            {"provider", &options.provider},
                                                            {"api_key", &options.api_key},
                                                            {"base_url", &options.base_url},
                                                            {"bill_to", &options.bill_to}};
    for (const auto& [name, value] : init) {
        if (value.is_null()) continue;
        if (const auto text = texts.find(name); text != texts.end()) {
            *text->second = value.as_string();
        } else if (name == "token") {
            options.token = value.is_bool() ? Token(value.get_bool()) : Token(std::string_view(value.as_string()));
        } else if (name == "timeout") {
            options.timeout = std::chrono::milliseconds(static_cast<long>(value.to_number<double>() * 1000));
        } else if (name == "headers") {
            options.headers = names_and_values(value);
        } else if (name == "cookies") {
            options.cookies = names_and_values(value);
        } else {
            throw Unsupported("InferenceClient has no argument " + std::string(name));
        }
    }
    return options;
}

Session make_session(const json::object& one) {
    const json::object env = object_of(one, "env");
    const std::string tmp(text_member(one, "tmp"));
    const auto lookup = [&](std::string_view name) -> std::optional<std::string> {
        if (const json::value* value = env.if_contains(name)) return std::string(value->as_string());
        if (name == "HOME") return tmp;
        return std::nullopt;
    };
    SessionOptions options(Environment::from(lookup));
    options.backoff_base = 2ms;
    options.backoff_cap = 5ms;
    Session session(std::move(options));
    std::vector<ScriptedTransport::Place> places;
    for (const auto& [played, real] : object_of(one, "base_urls")) {
        places.push_back({std::string(real.as_string()), std::string(played)});
    }
    auto& state = *session.state();
    state.set_transport(std::make_unique<ScriptedTransport>(state.pool_transport(), std::move(places)));
    return session;
}

/// One case: its session, its object and the calls in order.
class Case {
  public:
    Case(json::object one, bool async)
        : case_(std::move(one)), async_(async), tmp_(text_member(case_, "tmp")), session_(make_session(case_)) {}

    json::value play() {
        json::value result = call(case_);
        const json::value* then = case_.if_contains("then");
        if (!then) return result;
        for (const json::value& step : then->as_array()) result = follow(result, step.as_object());
        return result;
    }

  private:
    /// A further call, or an attribute of the value before it.
    json::value follow(const json::value& before, const json::object& step) {
        if (step.contains("object")) return call(step);
        const std::string name(text_member(step, "method"));
        if (const auto result = follow_cache(before, name, step)) return *result;
        if (const auto result = follow_uri(before, name, step)) return *result;
        const json::value* attribute = find_member(before, name);
        if (!attribute || step.contains("kwargs")) throw Unsupported("no method " + name + " of a result");
        return *attribute;
    }

    /// The methods of what scan_cache_dir returns; a strategy is carried out by the object that scanned.
    std::optional<json::value> follow_cache(const json::value& before, std::string_view name,
                                            const json::object& step) {
        if (name == "delete_revisions") {
            const std::vector<std::string> revisions = from_json<std::vector<std::string>>(step.at("args"), "args");
            return to_json(from_json<HFCacheInfo>(before).delete_revisions(revisions));
        }
        if (name == "expected_freed_size_str") {
            return json::string(from_json<DeleteCacheStrategy>(before).expected_freed_size_str());
        }
        if (name == "execute") {
            return call({{"object", "module"}, {"method", "execute"}, {"kwargs", {{"strategy", before}}}});
        }
        return std::nullopt;
    }

    json::value call(const json::object& step) {
        const std::string object(text_member(step, "object"));
        json::object kwargs = object_of(step, "kwargs", tmp_);
        const std::string name = method_name(text_member(step, "method"), kwargs);
        const Method* method = find_method(name);
        const bool is_module = object == "module";
        if (!method) throw Unsupported("no method " + name);
        if (!is_module && object != "same" && object != (method->object == "inference" ? "InferenceClient" : "HfApi")) {
            throw Unsupported("no method " + name + " of " + object);
        }
        add_positional(kwargs, step, *method);
        json::object init = object_of(object == "same" ? case_ : step, "init", tmp_);
        if (is_module) move_to_init(kwargs, init, *method);
        Arguments arguments(std::move(kwargs));
        Objects objects;
        if (method->object == "inference") {
            const InferenceClientOptions options = inference_options(init);
            const InferenceClient client(session_, options);
            const AsyncInferenceClient async_client(session_, options);
            objects.inference = &client;
            objects.async_inference = &async_client;
            return async_ ? method->awaiting(objects, arguments) : method->blocking(objects, arguments);
        }
        objects.hf_api = &api(api_, init);
        objects.async_hf_api = &api(async_api_, init);
        return async_ ? method->awaiting(objects, arguments) : method->blocking(objects, arguments);
    }

    /// What a dry run, a stream or a wait for several returns is another type, so it is a method of its own.
    static std::string method_name(std::string_view python_name, json::object& kwargs) {
        std::string name(python_name == "chat.completions.create" ? "chat_completion" : python_name);
        if (const auto job = kwargs.find("job_id"); name == "wait_for_job" && job->value().is_array()) {
            kwargs["job_ids"] = job->value();
            kwargs.erase("job_id");
            return name + "s";
        }
        const json::value* stream = kwargs.if_contains("stream");
        if (stream && find_method(name + "_stream")) {
            if (*stream == true) name += "_stream";
            kwargs.erase("stream");
        }
        const json::value* dry_run = kwargs.if_contains("dry_run");
        if (!dry_run || !find_method(name + "_dry_run")) return name;
        if (*dry_run == true) name += "_dry_run";
        kwargs.erase("dry_run");
        return name;
    }

    void add_positional(json::object& kwargs, const json::object& step, const Method& method) const {
        const json::value* args = step.if_contains("args");
        if (!args) return;
        const json::array values = plain(*args, tmp_).as_array();
        if (values.size() > method.positional.size()) throw Unsupported("too many positional arguments");
        for (std::size_t i = 0; i < values.size(); ++i) kwargs[method.positional[i]] = values[i];
    }

    /// A free function takes what the object would be made with, where the method does not take it itself.
    static void move_to_init(json::object& kwargs, json::object& init, const Method& method) {
        for (const std::string_view name :
             {"token", "endpoint", "library_name", "library_version", "user_agent", "headers"}) {
            const auto it = kwargs.find(name);
            if (it == kwargs.end() || method.has_option(name)) continue;
            init[name] = it->value();
            kwargs.erase(it);
        }
    }

    /// The object with these arguments; the same ones give the same object, which may remember things.
    template <class Api>
    const Api& api(std::map<std::string, Api>& made, const json::object& init) {
        const std::string key = json::serialize(init);
        const auto it = made.find(key);
        if (it != made.end()) return it->second;
        return made.emplace(key, Api(session_, api_options(init))).first->second;
    }

    json::object case_;
    bool async_;
    std::string tmp_;
    Session session_;
    std::map<std::string, HfApi> api_;
    std::map<std::string, AsyncHfApi> async_api_;
};

json::array bases_of(const std::exception& error) {
    json::array bases;
    const auto add = [&](bool is, std::string_view name) {
        if (is) bases.push_back(json::string(name));
    };
    add(dynamic_cast<const RepositoryNotFoundError*>(&error), "RepositoryNotFoundError");
    add(dynamic_cast<const EntryNotFoundError*>(&error), "EntryNotFoundError");
    add(dynamic_cast<const HfHubHttpError*>(&error), "HfHubHttpError");
    add(dynamic_cast<const InvalidArgumentError*>(&error), "InvalidArgumentError");
    add(dynamic_cast<const TransportError*>(&error), "TransportError");
    add(dynamic_cast<const Error*>(&error), "Error");
    return bases;
}

json::object error_answer(const std::exception& error) {
    const auto* own = dynamic_cast<const Error*>(&error);
    const std::string type = own ? std::string(own->type()) : boost::core::demangle(typeid(error).name());
    return {{"error", {{"type", type}, {"bases", bases_of(error)}, {"message", error.what()}}}};
}

json::object answer_to(const std::string& line, bool async) {
    try {
        Case one(parse_json(line, "the case").as_object(), async);
        return {{"result", one.play()}};
    } catch (const Unsupported& why) {
        return {{"unsupported", why.what()}};
    } catch (const std::exception& error) {
        return error_answer(error);
    }
}

int main(int argc, char** argv) {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    const bool async = arguments == std::vector<std::string_view>{"--mode", "async"};
    if (!async && arguments != std::vector<std::string_view>{"--mode", "sync"}) {
        std::cerr << "usage: hfhub-call --mode sync|async\n"
                     "Reads one case per line (a JSON object) and writes one line per case: {\"result\": …},\n"
                     "{\"error\": {\"type\", \"bases\", \"message\"}} or {\"unsupported\": \"why\"}.\n";
        return 2;
    }
    test::write_down_what_is_said();
    for (std::string line; std::getline(std::cin, line);) {
        if (!line.empty()) std::cout << json::serialize(answer_to(line, async)) << std::endl;
    }
    return 0;
}

}  // namespace

}  // namespace hfhub::conformance

int main(int argc, char** argv) { return hfhub::conformance::main(argc, argv); }
