// Defines the tests of the machine, each by TEST(name); main.cpp runs the test that its argument
// names.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include "machine/machine.hpp"

namespace machine::tests {

inline std::map<std::string, void (*)()>& registered() {
  static std::map<std::string, void (*)()> tests;
  return tests;
}

struct Registration {
  Registration(const char* name, void (*test)()) { registered()[name] = test; }
};

#define TEST(name)                                        \
  static void name();                                     \
  static const Registration register_##name(#name, name); \
  static void name()

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition))                                                                 \
      fail(std::string(__FILE__) + ":" + std::to_string(__LINE__) + ": " #condition); \
  } while (false)

[[noreturn]] inline void fail(const std::string& what) { throw std::logic_error(what); }

// Every kind of schedule.
inline constexpr std::uint64_t kSeeds = 12;

inline void with_seed(std::uint64_t seed, const Shape& shape, const std::function<void()>& kernel) {
  configuration().seed = seed;
  run(shape, kernel);
}

inline void with_all_seeds(const Shape& shape, const std::function<void()>& kernel) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) with_seed(seed, shape, kernel);
}

// Requires a fault whose message contains these words.
inline void expect_fault(const std::string& words, const Shape& shape,
                         const std::function<void()>& kernel, std::uint64_t seed = 0) {
  try {
    with_seed(seed, shape, kernel);
  } catch (const Fault& caught) {
    if (std::string(caught.what()).find(words) != std::string::npos) return;
    fail("the fault says '" + std::string(caught.what()) + "', not '" + words + "'");
  }
  fail("no fault, where '" + words + "' is expected");
}

// Requires the fault in at least one schedule, for faults that depend on the order of threads.
inline void expect_fault_in_some_schedule(const std::string& words, const Shape& shape,
                                          const std::function<void()>& kernel) {
  int faults = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    try {
      with_seed(seed, shape, kernel);
    } catch (const Fault& caught) {
      if (std::string(caught.what()).find(words) == std::string::npos) throw;
      ++faults;
    }
  }
  CHECK(faults > 0);
}

}  // namespace machine::tests
