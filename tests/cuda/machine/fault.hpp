// The exception that the machine throws where a kernel does something that the hardware leaves
// undefined, or hangs.
#pragma once

#include <stdexcept>
#include <string>

namespace machine {

class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fault(const std::string& what) { throw Fault(what); }

std::string hex(unsigned value);

}  // namespace machine
