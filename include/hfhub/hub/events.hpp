#pragma once

// What a server tells as it happens, such as logs.

#include <hfhub/hub/pages.hpp>
#include <hfhub/json.hpp>

#include <string>

namespace hfhub {

/// Events as they come. Nothing is sent before the first next(); whoever leaves the scope ends the request. A
/// connection that breaks is made again where the call follows what happens, and what was given already is not given
/// twice. After an exception the next call begins where the last event ended. A limit set by with_timeout is for the
/// stream as a whole. One caller at a time; it keeps its session alive.
///
///     for (const std::string& line : api.fetch_space_logs("user/app")) std::cout << line;       // blocking
///     while (std::optional<std::string> line = co_await lines.next()) std::cout << *line;       // coroutines
template <class Mode, class T>
using BasicEvents = BasicPages<Mode, T>;

template <class T>
using Events = BasicEvents<Blocking, T>;
template <class T>
using AsyncEvents = BasicEvents<Awaiting, T>;

extern template class BasicPages<Blocking, std::string>;
extern template class BasicPages<Awaiting, std::string>;
extern template class BasicPages<Blocking, json::object>;
extern template class BasicPages<Awaiting, json::object>;

}  // namespace hfhub
