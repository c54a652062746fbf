#pragma once

#include <hfhub/error.hpp>

#include <cerrno>
#include <string>

// Kinds of ConnectError that the pool and the rules of trying again treat in ways of their own.
namespace hfhub::http {

/// The process, or the machine, has no room for another socket: closing a connection helps.
class OutOfDescriptorsError final : public ConnectError {
  public:
    explicit OutOfDescriptorsError(const std::string& peer, int error = EMFILE)
        : ConnectError("cannot connect to " + peer + ": " +
                       (error == ENOBUFS ? "the system has no room for another socket; use fewer connections"
                                         : "too many open files; raise the limit on descriptors (ulimit -n) or use "
                                           "fewer connections")) {}
};

/// The name of the host, or of its proxy, could not be looked up.
class UnresolvedHostError final : public ConnectError {
  public:
    UnresolvedHostError(const std::string& host, const std::string& reason)
        : ConnectError("cannot find the address of " + host + ": " + reason +
                       "; check the name, the network and the proxy settings") {}
};

}  // namespace hfhub::http
