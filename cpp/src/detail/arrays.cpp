// SPDX-License-Identifier: Apache-2.0
#include "detail/arrays.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "detail/inflate.hpp"

namespace lsood::detail {

namespace {

constexpr std::uint64_t kLargestUnpacked = std::uint64_t{512} << 20;
constexpr std::size_t kMostEntries = 64;

[[noreturn]] void fault(std::string what) { throw ArchiveFault{std::move(what)}; }

// The little-endian number at a place of an archive; a fault where that is not inside.
std::uint64_t number(std::string_view bytes, std::size_t place, std::size_t size) {
  if (place > bytes.size() || bytes.size() - place < size) fault("a record is cut off");
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[place + i]);
  return value;
}

std::string_view piece(std::string_view bytes, std::uint64_t place, std::uint64_t size) {
  if (place > bytes.size() || bytes.size() - place < size) fault("a record is cut off");
  return bytes.substr(static_cast<std::size_t>(place), static_cast<std::size_t>(size));
}

struct Entry {
  std::string name;
  std::uint64_t method = 0, crc = 0, packed = 0, unpacked = 0, place = 0;
};

// The entries of the archive's central directory.
std::vector<Entry> entries_of(std::string_view archive) {
  const std::size_t end = archive.rfind("PK\x05\x06");
  if (end == std::string_view::npos) fault("it is no zip archive");
  const std::uint64_t count = number(archive, end + 10, 2);
  if (count > kMostEntries) fault("there are other entries");
  auto place = static_cast<std::size_t>(number(archive, end + 16, 4));
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (piece(archive, place, 4) != std::string_view("PK\x01\x02", 4)) fault("its directory is damaged");
    if ((number(archive, place + 8, 2) & 1) != 0) fault("an entry is encrypted");
    Entry entry;
    entry.method = number(archive, place + 10, 2);
    entry.crc = number(archive, place + 16, 4);
    entry.packed = number(archive, place + 20, 4);
    entry.unpacked = number(archive, place + 24, 4);
    entry.place = number(archive, place + 42, 4);
    const std::uint64_t name = number(archive, place + 28, 2);
    entry.name = piece(archive, place + 46, name);
    place += static_cast<std::size_t>(46 + name + number(archive, place + 30, 2) + number(archive, place + 32, 2));
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string unpacked(std::string_view archive, const Entry& entry) {
  const auto place = static_cast<std::size_t>(entry.place);
  if (piece(archive, place, 4) != std::string_view("PK\x03\x04", 4)) fault(entry.name + " is damaged");
  const std::uint64_t start = place + 30 + number(archive, place + 26, 2) + number(archive, place + 28, 2);
  const std::string_view packed = piece(archive, start, entry.packed);
  std::string contents;
  if (entry.method == 0) {
    contents = packed;
  } else if (entry.method != 8) {
    fault(entry.name + " is packed by method " + std::to_string(entry.method));
  } else if (!inflate(packed, static_cast<std::size_t>(entry.unpacked), contents)) {
    fault(entry.name + " is damaged");
  }
  if (contents.size() != entry.unpacked) fault(entry.name + " has another length than it states");
  if (crc32(contents) != entry.crc) fault(entry.name + " has another checksum than it states");
  return contents;
}

// Reads the header of a .npy file, a Python dictionary with three keys.
class Header {
 public:
  explicit Header(std::string_view text) : text_(text) {}

  Array read() {
    Array array;
    bool order = true;
    expect('{');
    for (int i = 0; i < 3; ++i) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        array.type = quoted();
      } else if (key == "fortran_order") {
        order = word() != "False";
      } else if (key == "shape") {
        array.shape = shape();
      } else {
        fault("an array has an unknown header");
      }
      if (!skip(',') && i < 2) fault("an array has an unknown header");
    }
    expect('}');
    const auto& type = array.type;
    if (order || (type != "|u1" && type != "<u2" && type != "<f4" && type != "<f8")) {
      fault("an array has the type " + type);
    }
    return array;
  }

 private:
  void skip_space() {
    while (place_ < text_.size() && (text_[place_] == ' ' || text_[place_] == '\n')) ++place_;
  }
  bool skip(char wanted) {
    skip_space();
    if (place_ >= text_.size() || text_[place_] != wanted) return false;
    ++place_;
    return true;
  }
  void expect(char wanted) {
    if (!skip(wanted)) fault("an array has a damaged header");
  }
  std::string quoted() {
    const char quote = skip('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t end = text_.find(quote, place_);
    if (end == std::string_view::npos) fault("an array has a damaged header");
    std::string found(text_.substr(place_, end - place_));
    place_ = end + 1;
    return found;
  }
  std::string word() {
    skip_space();
    const std::size_t start = place_;
    while (place_ < text_.size() && text_[place_] != ',' && text_[place_] != '}' && text_[place_] != ' ') ++place_;
    return std::string(text_.substr(start, place_ - start));
  }
  Shape shape() {
    Shape sizes;
    expect('(');
    while (!skip(')')) {
      skip_space();
      std::int64_t size = 0;
      const auto read = std::from_chars(text_.data() + place_, text_.data() + text_.size(), size);
      if (read.ec != std::errc() || size < 0 || sizes.size() == 8) fault("an array has a damaged shape");
      place_ = static_cast<std::size_t>(read.ptr - text_.data());
      sizes.push_back(size);
      if (!skip(',') && !(skip_space(), place_ < text_.size() && text_[place_] == ')')) fault("an array has a damaged shape");
    }
    return sizes;
  }

  std::string_view text_;
  std::size_t place_ = 0;
};

std::uint64_t item_size(const std::string& type) { return static_cast<std::uint64_t>(type[2] - '0'); }

Array array_of(std::string contents) {
  const std::string_view bytes = contents;
  if (bytes.substr(0, 6) != "\x93NUMPY") fault("an entry is no array");
  const std::uint64_t version = number(bytes, 6, 2);
  if (version != 1 && version != 2) fault("an array has another format");
  const std::size_t width = version == 1 ? 2 : 4;
  const std::uint64_t length = number(bytes, 8, width);
  Array array = Header(piece(bytes, 8 + width, length)).read();
  std::uint64_t size = item_size(array.type);
  for (const std::int64_t side : array.shape) {
    if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(side), &size)) fault("an array has a damaged shape");
  }
  const std::size_t start = 8 + width + static_cast<std::size_t>(length);
  if (contents.size() - start != size) fault("an array has another length than its shape says");
  array.bytes = contents.substr(start);
  return array;
}

}  // namespace

Named<Array> read_arrays(const std::string& archive, const std::vector<std::string>& names) {
  const std::vector<Entry> entries = entries_of(archive);
  std::uint64_t total = 0;
  Named<Array> arrays;
  for (const std::string& name : names) {
    const auto found = std::find_if(entries.begin(), entries.end(), [&name](const Entry& entry) {
      return entry.name == name || entry.name == name + ".npy";
    });
    if (found == entries.end()) fault("'" + name + "' is missing");
    total += found->unpacked;
    if (total > kLargestUnpacked) fault("its arrays have more than 536870912 bytes");
    arrays.emplace_back(name, array_of(unpacked(archive, *found)));
  }
  if (entries.size() != names.size()) fault("there are other entries");
  return arrays;
}

}  // namespace lsood::detail
