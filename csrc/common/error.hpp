// Errors that reach Python: csrc/python translates each class into a class of rlvr_fast.errors.
#pragma once

#include <stdexcept>
#include <string>

namespace rlvr {

class InvalidInput : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class CudaFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace rlvr
