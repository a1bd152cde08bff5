// SPDX-License-Identifier: Apache-2.0
// Gives a fuzz target the inputs of files, as they are and changed at random, for compilers without libFuzzer:
//
//     bundle_fuzz SEED COUNT FILE ...
//
// An input that ends the program lies in the file `crash` of the current folder. With sanitizers that takes abort_on_error=1 in
// ASAN_OPTIONS and UBSAN_OPTIONS.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t count) { return count == 0 ? 0 : static_cast<std::size_t>(random() % count); }

// One change: a bit, a byte, a number at the edge of its range, a piece left out, said twice, or of another input.
void change(std::string& input, const std::string& other, Random& random) {
  constexpr std::uint64_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, ~0ULL};
  const std::size_t place = 1 + below(random, input.size()), length = 1 + below(random, below(random, 2) ? 4 : 64);
  if (place >= input.size()) {
    input += static_cast<char>(random());
    return;
  }
  const std::size_t piece = std::min(length, input.size() - place);
  switch (below(random, 7)) {
    case 0: input[place] = static_cast<char>(input[place] ^ 1 << below(random, 8)); break;
    case 1: input[place] = static_cast<char>(random()); break;
    case 2: {
      const std::uint64_t number = edges[below(random, std::size(edges))];
      for (std::size_t i = 0; i < std::min<std::size_t>(piece, 8); ++i) input[place + i] = static_cast<char>(number >> 8 * i);
      break;
    }
    case 3: input.erase(place, piece); break;
    case 4: input.insert(place, input.substr(place, piece)); break;
    case 5: {  // a digit of a number that is written out, so that it stays one
      const std::size_t digit = input.find_first_of("0123456789", place);
      if (digit != std::string::npos) input.replace(digit, 1, std::to_string(edges[below(random, std::size(edges))]));
      break;
    }
    default: input.insert(place, other.substr(below(random, other.size()), length)); break;
  }
}

const std::string* given = nullptr;

void keep_given(int signal) {
  const int file = open("crash", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || write(file, given->data(), given->size()) < 0) _exit(3);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void give(const std::string& input) {
  given = &input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int count, char** values) {
  if (count < 4) return 3;
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) std::signal(signal, keep_given);
  std::vector<std::string> inputs;
  for (int i = 3; i < count; ++i) {
    std::ifstream file(values[i], std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    give(inputs.back());
  }
  Random random(std::strtoull(values[1], nullptr, 10));
  for (long left = std::atol(values[2]); left > 0; --left) {
    std::string input = inputs[below(random, inputs.size())];
    for (std::size_t changes = 1 + below(random, 6); changes > 0; --changes) {
      change(input, inputs[below(random, inputs.size())], random);
    }
    give(input);
  }
}
