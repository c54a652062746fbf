// The program is built apart from the library, so it holds Asio's compiled part itself.
#include <boost/asio/impl/src.hpp>
