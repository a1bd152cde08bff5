// SPDX-License-Identifier: Apache-2.0
// Reads what a hostile bundle or caller can give. The first byte of an input says what the others are:
//
//     m  a manifest                    g  an ONNX graph
//     a  eight hexadecimal digits, a manifest of so many bytes, and the golden frames of its bundle
//     n  an array of an archive        p  the text of an alarm policy
//     o  an option of the C interface
//
// What is wrong ends in a Failure or a fault of the reader's; anything else that gets out is a fault of ours. The entry point is
// that of libFuzzer (clang -fsanitize=fuzzer); mutations.cpp makes a program of it for other compilers.
#include <charconv>
#include <cstdint>
#include <string>

#include "detail/arrays.hpp"
#include "detail/bundle.hpp"
#include "detail/failure.hpp"
#include "detail/frame_check.hpp"
#include "detail/graph_check.hpp"
#include "detail/inflate.hpp"
#include "detail/option_words.hpp"
#include "detail/verdict.hpp"
#include "lsood/policy.hpp"

namespace {

using namespace lsood;

std::string little_endian(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> 8 * i & 0xff);
  return text;
}

// An archive of one array that is not packed, with the checksum that it has: else no changed array would be looked at.
std::string archive_of(const std::string& array) {
  const std::string name = "a.npy";
  const std::string sizes = little_endian(detail::crc32(array), 4) + little_endian(array.size(), 4) + little_endian(array.size(), 4);
  const std::string names = sizes + little_endian(name.size(), 2) + little_endian(0, 2);
  const std::string local = "PK\x03\x04" + little_endian(20, 2) + std::string(8, '\0') + names + name + array;
  const std::string directory = "PK\x01\x02" + little_endian(20, 2) + little_endian(20, 2) + std::string(8, '\0') + names +
                                std::string(14, '\0') + name;
  return local + directory + "PK\x05\x06" + std::string(4, '\0') + little_endian(1, 2) + little_endian(1, 2) +
         little_endian(directory.size(), 4) + little_endian(local.size(), 4) + std::string(2, '\0');
}

// Golden frames bound the sizes that a manifest states; only then is memory taken by them.
void read_golden(const std::string& rest) {
  std::size_t length = 0;
  const auto read = std::from_chars(rest.data(), rest.data() + std::min<std::size_t>(8, rest.size()), length, 16);
  if (read.ec != std::errc() || rest.size() < 8 || length > rest.size() - 8) return;
  const auto manifest = parse_manifest(rest.substr(8, length));
  if (!manifest) return;
  const detail::Golden golden = detail::parse_golden(rest.substr(8 + length), manifest.value());
  const detail::FrameCheck frames(manifest->input, "");
  const detail::VerdictRule rule(manifest.value(), {});
  Assessment verdict;
  rule.decide_unseen("none", 0, 7, verdict);
}

void read(char kind, const std::string& rest) {
  if (kind == 'm') static_cast<void>(parse_manifest(rest).ok());
  if (kind == 'g') detail::check_graph("g.onnx", rest);
  if (kind == 'a') read_golden(rest);
  if (kind == 'n') static_cast<void>(detail::read_arrays(archive_of(rest), {"a"}));
  if (kind == 'p') static_cast<void>(Policy::parse(rest).ok());
  if (kind == 'o') {
    MonitorOptions options;
    detail::set_option(rest, options);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string rest(data + 1, data + size);
  try {
    read(static_cast<char>(data[0]), rest);
  } catch (const detail::Failure&) {
  } catch (const detail::ArchiveFault&) {
  }
  return 0;
}
