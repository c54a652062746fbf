#pragma once

#include <stop_token>

namespace hfhub::cli {

/// What Ctrl-C (SIGINT), SIGTERM or SIGHUP mean while a command works: the first one asks it to end in good order, a
/// second one ends the process at once. Signals that the process was told to ignore stay ignored. One object, which is
/// made before any other thread.
class Interruption {
  public:
    Interruption();

    /// Asks to stop when a signal comes.
    std::stop_token stop() const;
    /// The signal that came; 0 where none did.
    int signal() const noexcept;
};

}  // namespace hfhub::cli
