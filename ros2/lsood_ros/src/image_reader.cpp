// SPDX-License-Identifier: Apache-2.0
#include "image_reader.hpp"

#include <algorithm>
#include <array>

namespace lsood_ros {

namespace {

// How the bytes of a pixel lie.
struct Encoding {
  std::string_view name;
  std::size_t channels = 0;
  std::array<std::size_t, 3> places{};  // of red, green and blue
};

constexpr std::array<Encoding, 5> kEncodings{{{"rgb8", 3, {0, 1, 2}},
                                              {"bgr8", 3, {2, 1, 0}},
                                              {"rgba8", 4, {0, 1, 2}},
                                              {"bgra8", 4, {2, 1, 0}},
                                              {"mono8", 1, {0, 0, 0}}}};

const Encoding* find_encoding(std::string_view name) {
  const auto found = std::find_if(kEncodings.begin(), kEncodings.end(), [name](const Encoding& each) { return each.name == name; });
  return found == kEncodings.end() ? nullptr : &*found;
}

// Channels of an encoding without names for them; 0 for any other.
std::size_t unnamed_channels(std::string_view name) {
  return name == "8uc1" ? 1 : name == "8uc3" ? 3 : name == "8uc4" ? 4 : 0;
}

std::string lower(std::string_view text) {
  std::string found(text);
  for (char& each : found) {
    if ('A' <= each && each <= 'Z') each = static_cast<char>(each - 'A' + 'a');
  }
  return found;
}

// A name out of a message, for an error: at most 40 characters that can be printed.
std::string shown(std::string_view text) {
  std::string found;
  for (const char each : text.substr(0, 40)) found += ' ' <= each && each <= '~' ? each : '?';
  return "'" + found + "'";
}

lsood::Error no_frame(std::string message) { return {lsood::ErrorCode::frame, std::move(message)}; }

}  // namespace

ImageReader::ImageReader(const lsood::InputContract& input, const lsood::PixelsRecord& pixels)
    : order_(input.channels), takes_grey_(pixels.grey) {
  for (const std::string& name : pixels.encodings) stated_.push_back(lower(name));
}

lsood::Result<lsood::Frame> ImageReader::frame(const ImageBytes& image) {
  const std::string name = lower(image.encoding);
  const Encoding* encoding = find_encoding(name);
  if (const std::size_t channels = unnamed_channels(name); channels > 0) {
    for (const std::string& each : stated_) {
      const Encoding* stated = find_encoding(each);
      if (encoding == nullptr && stated != nullptr && stated->channels == channels) encoding = stated;
    }
    if (encoding == nullptr) {
      return no_frame("expected an encoding that names its channels, got " + shown(image.encoding) +
                      ": publish the images as rgb8, bgr8 or mono8");
    }
  }
  if (encoding == nullptr) {
    return no_frame("expected an image of rgb8, bgr8, rgba8, bgra8 or mono8, got " + shown(image.encoding) +
                    ": convert it before, image_proc does, or take the Python node, which reads more encodings");
  }
  if (encoding->channels == 1 && !takes_grey_) {
    return no_frame("expected a colour image, got " + std::string(encoding->name) +
                    ": export or calibrate the bundle with --grey for a grey camera");
  }
  if (image.height == 0 || image.width == 0) {
    return no_frame("expected an image with pixels, got " + std::to_string(image.height) + " rows of " +
                    std::to_string(image.width) + " columns: check the camera");
  }
  const std::uint64_t least = std::uint64_t{image.width} * encoding->channels;
  const std::uint64_t step = image.step == 0 ? least : image.step;
  if (step < least) {
    return no_frame("expected a step of at least " + std::to_string(least) + " bytes for " + std::to_string(image.width) +
                    " columns of " + std::string(encoding->name) + ", got " + std::to_string(step) + ": check the camera's driver");
  }
  if (image.size / step < image.height || image.data == nullptr) {
    return no_frame("expected " + std::to_string(image.height) + " rows of " + std::to_string(step) + " bytes, got " +
                    std::to_string(image.size) + " bytes: the image is cut off");
  }
  lsood::Frame frame{image.data, image.height, image.width, 3, static_cast<std::int64_t>(step)};
  if (encoding->name == order_ + "8") return frame;
  std::array<std::size_t, 3> places = encoding->places;
  if (order_ == "bgr") std::swap(places[0], places[2]);
  turned_.resize(std::size_t{3} * image.height * image.width);
  std::uint8_t* to = turned_.data();
  for (std::uint64_t row = 0; row < image.height; ++row) {
    const std::uint8_t* from = image.data + row * step;
    for (std::uint32_t column = 0; column < image.width; ++column, from += encoding->channels) {
      for (const std::size_t place : places) *to++ = from[place];
    }
  }
  frame.data = turned_.data();
  frame.stride = 0;
  return frame;
}

}  // namespace lsood_ros
