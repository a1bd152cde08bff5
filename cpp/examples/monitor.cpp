// SPDX-License-Identifier: Apache-2.0
// Assesses PPM frames with a bundle, without Python:
//
//     monitor BUNDLE [--cuda] [--fused] FRAME.ppm ...
//
// A bundle that was exported with `--grey` takes PGM frames of a grey camera too; any other one refuses them. `--fused` runs
// monitor.onnx, which the export writes with `--fuse`. A frame that cannot be read is invalid, as in the Python runtime, and the
// others are assessed. Exit code 0: all frames in distribution, 1: one is not, or is invalid, 2: bad use, or a bundle that does
// not open.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "lsood/monitor.hpp"

namespace {

constexpr const char* kUsage = "usage: monitor BUNDLE [--cuda] [--fused] FRAME.ppm ...";

struct Image {
  std::int64_t height = 0, width = 0;
  bool is_grey = false;
  std::vector<std::uint8_t> pixels;  // three values each; those of a grey image are the same three times
};

lsood::Error bad(std::string message) { return {lsood::ErrorCode::argument, std::move(message)}; }

// What a file is that is no PPM, by its first bytes.
const char* kind_of(const std::string& magic) {
  if (magic.empty()) return "an empty file";
  if (magic.substr(0, 3) == "\xff\xd8\xff") return "a JPEG";
  if (magic.substr(0, 4) == "\x89PNG") return "a PNG";
  return magic == "P6" || magic == "P5" ? "a damaged header, or another depth" : "something else";
}

// Reads an image of the size that a bundle's frames have.
lsood::Result<Image> read_image(const std::string& path, const lsood::Manifest& manifest) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return bad("cannot read " + path + ": " + std::strerror(errno));
  std::string magic;
  Image image;
  std::int64_t deepest = 0;
  if (!(file >> magic >> image.width >> image.height >> deepest) || (magic != "P6" && magic != "P5") || deepest != 255) {
    if (errno == EISDIR) return bad("cannot read " + path + ": " + std::strerror(errno));
    return bad("expected a binary PPM of 8 bits, " + path + " is " + kind_of(magic) + ": convert it");
  }
  image.is_grey = magic == "P5";
  if (image.is_grey && !manifest.pixels.grey) {
    return bad("expected a frame in colour, " + path +
               " is grey: export the bundle with --grey for a grey camera, or convert what is a colour frame");
  }
  const std::int64_t height = manifest.input.frame_height, width = manifest.input.frame_width;
  if (image.height != height || image.width != width) {
    return bad(path + ": expected " + std::to_string(width) + "x" + std::to_string(height) + ", got " +
               std::to_string(image.width) + "x" + std::to_string(image.height));
  }
  file.get();  // the one white space behind the header
  std::vector<std::uint8_t> values(static_cast<std::size_t>((image.is_grey ? 1 : 3) * height * width));
  if (!file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size()))) {
    return bad(path + " ends early");
  }
  image.pixels.resize(static_cast<std::size_t>(3 * height * width));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = values[image.is_grey ? i / 3 : i];
  return image;
}

void print(const std::string& path, const lsood::Assessment& verdict) {
  std::printf("%s %.17g %s", path.c_str(), verdict.score, lsood::state_name(verdict.state));
  if (verdict.quality.is_told) std::printf(", expected quality %.2f", verdict.quality.expected);
  if (verdict.cause.is_told) std::printf(", cause %s", std::string(verdict.cause.cause).c_str());
  if (verdict.objects.is_told) std::printf(", unknown objects: %s", verdict.objects.words.c_str());
  std::printf("%s%s\n", verdict.reason.empty() ? "" : ": ", verdict.reason.c_str());
}

int fail(const lsood::Error& error) {
  std::fprintf(stderr, "monitor: error: %s\n", error.message.c_str());
  return 2;
}

}  // namespace

int main(int count, char** values) {
  lsood::MonitorOptions options;
  std::vector<std::string> words;
  if (count == 2 && values[1] == std::string("--help")) return std::puts(kUsage) < 0 ? 2 : 0;
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    if (word == "--cuda") {
      options.provider = "cuda";
    } else if (word == "--fused") {
      options.fused = true;
    } else if (word.substr(0, 2) == "--") {
      return fail(bad("expected --cuda, --fused or --help, got " + word + ": a file of such a name is ./" + word));
    } else {
      words.push_back(word);
    }
  }
  if (words.size() < 2) return fail(bad(kUsage));
  auto monitor = lsood::Monitor::open(words[0], options);
  if (!monitor) return fail(monitor.error());
  lsood::Assessment verdict;
  bool any_ood = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto image = read_image(words[i], monitor->manifest());
    const lsood::Frame frame{image ? image->pixels.data() : nullptr, image ? image->height : 0, image ? image->width : 0, 3, 0};
    const auto done = image ? monitor->assess(frame, verdict) : monitor->report_invalid(image.error().message, verdict);
    if (!done) return fail(done.error());
    print(words[i], verdict);
    any_ood = any_ood || verdict.is_ood;
  }
  return any_ood ? 1 : 0;
}
