// SPDX-License-Identifier: Apache-2.0
#include "detail/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "detail/failure.hpp"
#include "detail/manifest_checks.hpp"
#include "detail/sha256.hpp"
#include "detail/utf8.hpp"

namespace lsood::detail {

namespace {

constexpr ErrorCode kBundle = ErrorCode::bundle;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

void check_status(const std::string& folder, const std::string& name, const struct stat& status, std::int64_t largest,
                  std::optional<std::int64_t> length) {
  if (!S_ISREG(status.st_mode)) {
    fail(kBundle, "expected the file " + name + " in " + folder + ", got what is no regular file: copy the whole bundle");
  }
  const std::string size = std::to_string(status.st_size);
  if (length && status.st_size != *length) {
    fail(kBundle, "expected " + name + " to have " + std::to_string(*length) + " bytes, got " + size +
                      ": it was cut off or replaced, copy the bundle again");
  }
  if (status.st_size > largest) {
    fail(kBundle, "expected " + name + " to have at most " + std::to_string(largest) + " bytes, got " + size +
                      ": it was replaced, copy the bundle again");
  }
}

[[noreturn]] void fail_to_read(const std::string& path) {
  fail(kBundle, "expected to read " + path + ", got " + std::strerror(errno) + ": check its permissions");
}

}  // namespace

std::string read_file(const std::string& folder, const std::string& name, std::int64_t largest,
                      std::optional<std::int64_t> length, bool follow_link) {
  const std::string path = folder + "/" + name;
  struct stat status {};
  if ((follow_link ? stat(path.c_str(), &status) : lstat(path.c_str(), &status)) != 0) {
    if (errno == ENOENT) {
      fail(kBundle, "expected the file " + name + " in " + folder + ", it is missing: copy the whole bundle");
    }
    fail(kBundle, "expected to find " + path + ", got " + std::strerror(errno) + ": export the bundle again");
  }
  if (S_ISLNK(status.st_mode)) {
    fail(kBundle, "expected " + name + " to be a file of the bundle, it is a link: copy the bundle with its files");
  }
  check_status(folder, name, status, largest, length);
  // A FIFO that takes the file's place is not waited for.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | (follow_link ? 0 : O_NOFOLLOW)));
  if (file.number() < 0 || fstat(file.number(), &status) != 0) fail_to_read(path);
  check_status(folder, name, status, largest, length);
  std::string contents(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t place = 0;
  char more = 0;
  while (true) {
    const bool is_whole = place == contents.size();
    const ssize_t count = read(file.number(), is_whole ? &more : contents.data() + place, is_whole ? 1 : contents.size() - place);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_to_read(path);
    if (count == 0 && is_whole) return contents;
    if (count == 0 || is_whole) {
      fail(kBundle, "expected " + name + " to stay as it is while it is read, it changed: copy the bundle again");
    }
    place += static_cast<std::size_t>(count);
  }
}

std::string read_recorded(const std::string& folder, const std::string& name, const FileRecord& record) {
  if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string("/\\\0", 3)) != std::string::npos) {
    fail(kBundle, "expected plain file names in the manifest, got '" + printable(name) +
                      "', which leads out of the bundle: export it again");
  }
  return read_file(folder, name, kLargestFile, record.bytes, false);
}

void check_digest(const std::string& name, const std::string& contents, const FileRecord& record) {
  const std::string digest = sha256_hex(contents);
  if (digest == record.sha256) return;
  fail(kBundle, "expected " + name + " with sha256 " + record.sha256.substr(0, 12) + "..., got " + digest.substr(0, 12) +
                    "...: it was changed after export, copy the bundle again");
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_file(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool is_there(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

std::vector<std::string> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(folder.c_str()), closedir);
  if (!entries) fail(kBundle, "expected to list " + folder + ", got " + std::strerror(errno) + ": check its permissions");
  std::vector<std::string> names;
  while (const dirent* entry = readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

}  // namespace lsood::detail
