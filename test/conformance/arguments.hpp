#pragma once

// Arguments of a recorded call, as what the C++ method takes.

#include "core/base64.hpp"
#include "core/mapping.hpp"
#include "core/owned.hpp"

#include <hfhub/hub/buckets.hpp>
#include <hfhub/hub/commits.hpp>
#include <hfhub/hub/jobs.hpp>
#include <hfhub/inference/chat.hpp>
#include <hfhub/string_list.hpp>
#include <hfhub/token.hpp>

#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hfhub::conformance {

/// The case asks for something that hfhub does not have.
class Unsupported : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Python's keyword arguments, taken one after the other. What it gives looks into it: keep it until the call is over.
class Arguments {
  public:
    explicit Arguments(json::object kwargs) : kwargs_(std::move(kwargs)) {}

    /// A parameter without default.
    template <class T>
    T positional(std::string_view name) {
        const json::value* value = take(name);
        if (!value) throw Unsupported("the argument " + std::string(name) + " is missing");
        T out{};
        read(*value, out, name);
        return out;
    }

    /// All members of the options that are given; the others keep their defaults.
    template <class Options>
    Options options() {
        Options out{};
        fill(out, [this](std::string_view name) { return take(name); });
        return out;
    }

    /// Throws Unsupported where something was not taken.
    void finish() const {
        for (const auto& [name, value] : kwargs_) {
            if (!taken_.contains(name) && !value.is_null()) throw Unsupported("no argument " + std::string(name));
        }
    }

  private:
    const json::value* take(std::string_view name) {
        const json::value* value = kwargs_.if_contains(name);
        if (value) taken_.emplace(name);
        return value;
    }

    template <class T, class Find>
    void fill(T& out, Find&& find) {
        boost::mp11::mp_for_each<hfhub::detail::DescribedMembers<T>>([&](auto member) {
            const std::string_view name = hfhub::detail::python_name(member.name);
            const json::value* value = find(name);
            if (value && !value->is_null()) read(*value, out.*member.pointer, name);
        });
    }

    void read(const json::value& value, std::string_view& out, std::string_view name) {
        std::string text;
        // A ResolvedRevision is a text that also knows what it was resolved from.
        if (const json::value* resolved = find_member(value, "resolved")) return read(*resolved, out, name);
        read<std::string>(value, text, name);
        out = arena_.keep(text);
    }
    void read(const json::value& value, Token& out, std::string_view name) {
        if (value.is_bool()) {
            out = Token(value.get_bool());
        } else {
            std::string_view text;
            read(value, text, name);
            out = Token(text);
        }
    }
    void read(const json::value& value, StringList& out, std::string_view name) {
        if (value.is_string()) {
            std::string_view text;
            read(value, text, name);
            out = text.empty() ? StringList() : StringList(text);
        } else {
            std::span<const std::string_view> texts;
            read(value, texts, name);
            out = texts;
        }
    }
    void read(const json::value& value, UploadSource& out, std::string_view name) {
        const json::value* bytes = find_member(value, "$bytes");
        std::string_view text;
        read(bytes ? *bytes : value, text, name);
        out = bytes ? UploadSource::bytes(arena_.keep(base64_decode(text))) : UploadSource(text);
    }
    void read(const json::value& value, CommitOperation& out, std::string_view name) {
        const std::string kind(text_member(value, "$op"));
        if (kind == "Add") {
            read(value, out.emplace<CommitOperationAdd>(), name);
        } else if (kind == "Delete") {
            json::object deletion(value.as_object());
            if (deletion["is_folder"] == "auto") deletion.erase("is_folder");
            read(json::value(std::move(deletion)), out.emplace<CommitOperationDelete>(), name);
        } else if (kind == "Copy") {
            read(value, out.emplace<CommitOperationCopy>(), name);
        } else {
            throw Unsupported("no commit operation " + kind);
        }
    }
    void read(const json::value& value, CommitOperations& out, std::string_view name) {
        std::span<const CommitOperation> operations;
        read(value, operations, name);
        out = operations;
    }
    void read(const json::value& value, JsonView& out, std::string_view) { out = JsonView(value); }
    /// (type, id, hash, path)
    void read(const json::value& value, BucketCopy& out, std::string_view name) {
        if (!value.is_array() || value.get_array().size() != 4) throw Unsupported("a copy should be a list of 4");
        std::size_t at = 0;
        for (std::string_view* text : {&out.source_repo_type, &out.source_repo_id, &out.xet_hash, &out.destination}) {
            read(value.get_array()[at++], *text, name);
        }
    }
    /// (path or file, local path)
    void read(const json::value& value, BucketDownload& out, std::string_view name) {
        if (!value.is_array() || value.get_array().size() != 2) throw Unsupported("a download should be a list of 2");
        const json::value& file = value.get_array()[0];
        const json::value* path = find_member(file, "path");
        read(path ? *path : file, out.remote_path, name);
        if (path) read(file.at("size"), out.size, name);
        read(value.get_array()[1], out.local_path, name);
    }
    void read(const json::value& value, JobTimeout& out, std::string_view name) {
        std::chrono::milliseconds span{0};
        std::string_view text;
        if (value.is_number()) {
            read(value, span, name);
            out = span;
        } else {
            read(value, text, name);
            out = text;
        }
    }
    void read(const json::value& value, ChatMessages& out, std::string_view name) {
        std::vector<ChatMessage> messages;
        read<std::vector<ChatMessage>>(value, messages, name);
        out = ChatMessages(arena_.keep(std::move(messages)));
    }
    template <class T>
    void read(const json::value& value, std::optional<T>& out, std::string_view name) {
        read(value, out.emplace(), name);
    }
    template <class T>
    void read(const json::value& value, std::span<const T>& out, std::string_view name) {
        if (!value.is_array()) throw Unsupported("the argument " + std::string(name) + " should be a list");
        std::vector<T> items;
        for (const json::value& item : value.get_array()) read(item, items.emplace_back(), name);
        out = arena_.keep(std::move(items));
    }
    template <class T>
    void read(const json::value& value, T& out, std::string_view name) {
        if constexpr (hfhub::detail::DescribedClass<T> && std::is_trivially_destructible_v<T>) {
            if (!value.is_object()) throw Unsupported("the argument " + std::string(name) + " should be an object");
            fill(out, [&](std::string_view member) { return value.get_object().if_contains(member); });
        } else {
            try {
                out = from_json<T>(value, name);
            } catch (const JsonError& error) {
                throw Unsupported("the argument " + std::string(error.what()));
            }
        }
    }

    json::object kwargs_;
    std::set<std::string, std::less<>> taken_;
    Arena arena_;
};

}  // namespace hfhub::conformance
