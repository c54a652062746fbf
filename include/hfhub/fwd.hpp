#pragma once

// The names of Boost.Asio that hfhub's own interfaces are made of, without its heavier headers.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hfhub {

namespace asio = boost::asio;

/// What a coroutine of the library returns; awaited by any Asio coroutine.
template <class T = void>
using awaitable = asio::awaitable<T>;

class Session;

}  // namespace hfhub
