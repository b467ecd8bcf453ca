// The rows and temperatures of a kernel's arguments.
#pragma once

#include "math/online_softmax.hpp"

namespace rlvr::cuda {

RLVR_HD std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// One temperature for each row, or one for all rows.
struct Temperatures {
  const float* each;
  float all;
  RLVR_HD double operator()(std::int64_t row) const {
    return static_cast<double>(each == nullptr ? all : each[row]);
  }
};

template <typename T>
struct Rows {
  const T* data;
  std::int64_t columns;
  std::int64_t inner_rows;
  std::int64_t outer_stride;
  std::int64_t row_stride;

  RLVR_HD const T* row(std::int64_t index) const {
    const std::int64_t outer = index / inner_rows;
    return data + outer * outer_stride + (index - outer * inner_rows) * row_stride;
  }
};

}  // namespace rlvr::cuda
