// SPDX-License-Identifier: Apache-2.0
// Counts the allocations of a program, and lets them fail. It replaces the global `operator new`: one source of a program includes
// it, and no other.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

namespace lsood::test {

inline std::atomic<long> allocations{0};
inline std::atomic<long> left{-1};         // allocations until one fails; below 0 for none
inline std::atomic<bool> is_full{false};   // whether every one fails

inline void* allocated(std::size_t size) {
  ++allocations;
  const bool fails = is_full || (left >= 0 && left-- == 0);
  void* memory = fails ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

// Makes a call again and again: without its first allocation, without its second, ..., at last with all of them. `check` takes
// what each but the last gives, with the number of the allocation that failed; what the last gives comes back.
template <typename Call, typename Check>
auto starved(Call call, Check check) {
  for (long count = 0;; ++count) {
    left = count;
    auto done = call();
    const bool has_failed = left < 0;
    left = -1;
    if (!has_failed) return done;
    check(done, count);
  }
}

}  // namespace lsood::test

void* operator new(std::size_t size) { return lsood::test::allocated(size); }
void* operator new[](std::size_t size) { return lsood::test::allocated(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
