#include "cli/output.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>

namespace hfhub::cli {

void Output::result(std::string_view title, const Fields& fields, std::string_view id) const {
    if (format == Format::json) {
        boost::json::object object;
        for (const auto& [name, value] : fields) object[name] = value;
        std::cout << boost::json::serialize(object) << "\n";
    } else if (format == Format::quiet) {
        std::cout << id << "\n";
    } else {
        std::cout << title << "\n";
        for (const auto& [name, value] : fields) std::cout << "  " << name << ": " << value << "\n";
    }
}

void Output::note(std::string_view text) const {
    if (format == Format::human) std::cout << text << "\n";
}

void Output::line(std::string_view name, std::string_view text) const {
    if (format == Format::json) {
        std::cout << boost::json::serialize(boost::json::object{{name, text}}) << "\n";
    } else {
        std::cout << text << "\n";
    }
}

void Output::table(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows) const {
    if (format == Format::json) {
        boost::json::array array;
        for (const auto& row : rows) {
            boost::json::object object;
            for (std::size_t i = 0; i < columns.size(); ++i) object[columns[i]] = row[i];
            array.push_back(std::move(object));
        }
        std::cout << boost::json::serialize(array) << "\n";
        return;
    }
    if (format == Format::quiet) {
        for (const auto& row : rows) std::cout << row.front() << "\n";
        return;
    }
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        std::size_t width = columns[i].size();
        for (const auto& row : rows) width = std::max(width, row[i].size());
        widths.push_back(width);
    }
    const auto print = [&](const std::vector<std::string>& cells, bool upper) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            std::string cell = cells[i];
            if (upper)
                std::transform(cell.begin(), cell.end(), cell.begin(), [](unsigned char c) { return std::toupper(c); });
            std::cout << cell;
            if (i + 1 < cells.size()) std::cout << std::string(widths[i] - cell.size() + 2, ' ');
        }
        std::cout << "\n";
    };
    print(columns, true);
    for (const auto& row : rows) print(row, false);
}

std::string human_size(double bytes) {
    static constexpr std::array units = {"B", "K", "M", "G", "T"};
    std::size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < units.size()) {
        bytes /= 1000;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.1f%s", bytes, units[unit]);
    return text;
}

}  // namespace hfhub::cli
