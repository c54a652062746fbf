#pragma once

// Fetching the bytes of one file over HTTP.

#include "core/owned.hpp"
#include "hub/client.hpp"
#include "hub/part_file.hpp"

#include <hfhub/progress.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace hfhub::hub {

/// Where a file is.
struct FileSource {
    std::string url;
    bool on_hub = true;  ///< The token may go there.
};

struct TransferRequest {
    FileSource source;
    OwnedToken token{};
    std::string name{};  ///< Of the file, for progress and messages.
    const ProgressCallback* progress = nullptr;
    /// Says anew where the file is, for addresses that are signed for a short time.
    std::function<awaitable<FileSource>()> refresh{};
};

/// The file is another one than it was when the transfer began.
class ContentChanged : public IntegrityError {
  public:
    using IntegrityError::IntegrityError;
};

/// Fills the part and checks it. Goes on after cuts as long as bytes come; six tries in a row without any, or two
/// minutes, end it with the last error. A content that does not match is fetched anew once. Throws TransportError,
/// HfHubHttpError, IntegrityError, ContentChanged, IoError, CancelledError.
awaitable<void> fetch(Client client, TransferRequest request, std::shared_ptr<PartFile> part);

}  // namespace hfhub::hub
