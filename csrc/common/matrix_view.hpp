// A view of the rows of a strided tensor. Offsets are 64-bit: rows x vocabulary overflows 32 bits.
#pragma once

#include <cstdint>
#include <vector>

namespace rlvr {

// A tensor [..., columns] whose last stride is 1. The leading dimensions may not collapse into one
// stride (those of logits[:, :-1] do not), so the address of a row is computed from the row's index
// in every dimension.
template <typename T>
class MatrixView {
 public:
  MatrixView(const T* data, std::vector<std::int64_t> leading_shape,
             std::vector<std::int64_t> leading_strides, std::int64_t columns)
      : data_(data), columns_(columns) {
    for (std::size_t d = leading_shape.size(); d-- > 0;) {
      rows_ *= leading_shape[d];
      // Dimensions that collapse are merged, so that a row of a plain matrix costs one
      // multiplication.
      if (!shape_.empty() && leading_strides[d] == strides_.back() * shape_.back()) {
        shape_.back() *= leading_shape[d];
      } else {
        shape_.push_back(leading_shape[d]);
        strides_.push_back(leading_strides[d]);
      }
    }
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }

  const T* row(std::int64_t index) const {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < shape_.size(); ++d) {  // innermost first
      const std::int64_t next = index / shape_[d];
      offset += (index - next * shape_[d]) * strides_[d];
      index = next;
    }
    return data_ + offset;
  }

 private:
  const T* data_;
  std::int64_t columns_;
  std::int64_t rows_ = 1;
  std::vector<std::int64_t> shape_;
  std::vector<std::int64_t> strides_;
};

}  // namespace rlvr
