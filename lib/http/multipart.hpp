#pragma once

#include <string>
#include <string_view>

namespace hfhub::http {

/// A multipart/form-data body (RFC 7578) as browsers write it: in names, line ends and quotes are escaped as %0D, %0A
/// and %22 (WHATWG HTML 4.10.21.8), so that no name can end its part.
class MultipartForm {
  public:
    /// With a random boundary that no content holds by chance.
    MultipartForm();
    /// With this boundary: 1 to 70 characters of RFC 2046's set, in none of the parts. Throws InvalidArgumentError.
    explicit MultipartForm(std::string boundary);

    /// Adds a text field.
    void field(std::string_view name, std::string_view value);
    /// Adds a file; an empty content type is application/octet-stream.
    void file(std::string_view name, std::string_view filename, std::string_view content_type, std::string_view bytes);

    /// Value of Content-Type for the body.
    std::string content_type() const { return "multipart/form-data; boundary=" + boundary_; }
    /// The parts so far and the closing boundary.
    std::string body() const& { return parts_ + "--" + boundary_ + "--\r\n"; }
    std::string body() && { return std::move(parts_.append("--").append(boundary_).append("--\r\n")); }

  private:
    void begin_part(std::string_view name);

    std::string boundary_;
    std::string parts_;
};

}  // namespace hfhub::http
