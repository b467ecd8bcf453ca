// machine_tests NAME: runs one test; prints the message and exits with status 1 where the test
// fails.
#include <exception>
#include <iostream>

#include "machine/tests/check.hpp"

int main(int count, char** arguments) {
  const auto& tests = machine::tests::registered();
  const auto found = count == 2 ? tests.find(arguments[1]) : tests.end();
  if (found == tests.end()) {
    for (const auto& test : tests) std::cout << test.first << "\n";
    return 2;
  }
  try {
    found->second();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
