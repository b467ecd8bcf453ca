// A tensor of torch or numpy, borrowed through DLPack (https://dmlc.github.io/dlpack): no copy, and
// no link to either. The structures are the stable, unversioned part of the protocol.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/matrix_view.hpp"
#include "scoring/block_fold.hpp"

namespace rlvr::python {

namespace py = pybind11;

struct DLDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};

struct DLTensor {
  void* data;
  std::int32_t device_type;
  std::int32_t device_id;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};

struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor*);
};

enum class DataType { kFloat32, kFloat16, kBfloat16, kInt32, kInt64, kOther };

// Holds a reference to the tensor. Construct and destroy with the GIL held.
class BorrowedTensor {
 public:
  explicit BorrowedTensor(const py::handle& tensor) {
    py::capsule capsule = tensor.attr("__dlpack__")();
    managed_ = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    if (managed_ == nullptr) throw py::error_already_set();
    if (PyCapsule_SetName(capsule.ptr(), "used_dltensor") != 0) throw py::error_already_set();
    if (view().device_type != 1) {
      if (managed_->deleter != nullptr) managed_->deleter(managed_);
      throw InvalidInput("a CPU tensor was expected, one of DLPack device type " +
                         std::to_string(view().device_type) + " came");
    }
  }
  BorrowedTensor(const BorrowedTensor&) = delete;
  BorrowedTensor& operator=(const BorrowedTensor&) = delete;
  ~BorrowedTensor() {
    if (managed_->deleter != nullptr) managed_->deleter(managed_);
  }

  int ndim() const { return view().ndim; }
  std::int64_t size(int dimension) const { return view().shape[dimension]; }
  std::int64_t elements() const {
    std::int64_t count = 1;
    for (int d = 0; d < ndim(); ++d) count *= size(d);
    return count;
  }
  // The stride of a dimension of one element may have any value, and is never used.
  std::int64_t stride(int dimension) const {
    if (view().strides != nullptr) return view().strides[dimension];
    std::int64_t stride = 1;
    for (int d = ndim() - 1; d > dimension; --d) stride *= size(d);
    return stride;
  }

  DataType dtype() const {
    const DLDataType type = view().dtype;
    if (type.lanes != 1) return DataType::kOther;
    if (type.code == 2 && type.bits == 32) return DataType::kFloat32;
    if (type.code == 2 && type.bits == 16) return DataType::kFloat16;
    if (type.code == 4 && type.bits == 16) return DataType::kBfloat16;
    if (type.code == 0 && type.bits == 32) return DataType::kInt32;
    if (type.code == 0 && type.bits == 64) return DataType::kInt64;
    return DataType::kOther;
  }

  // A contiguous array of `count` elements of this type; `name` is for the message.
  template <typename T>
  T* array(DataType type, std::int64_t count, const char* name) const {
    if (dtype() != type || elements() != count || !contiguous()) {
      throw InvalidInput(std::string(name) + ": expected a contiguous array of " +
                         std::to_string(count) + " elements of the right type, got " +
                         std::to_string(elements()));
    }
    return address<T>();
  }

  template <typename T>
  MatrixView<T> matrix() const {
    if (ndim() < 1) throw InvalidInput("expected a tensor [..., vocabulary], got a scalar");
    if (size(ndim() - 1) > 1 && stride(ndim() - 1) != 1) {
      throw InvalidInput("the last dimension must have stride 1");
    }
    std::vector<std::int64_t> shape, strides;
    for (int d = 0; d + 1 < ndim(); ++d) {
      shape.push_back(size(d));
      strides.push_back(stride(d));
    }
    return MatrixView<T>(address<T>(), std::move(shape), std::move(strides), size(ndim() - 1));
  }

 private:
  const DLTensor& view() const { return managed_->dl_tensor; }
  template <typename T>
  T* address() const {
    return reinterpret_cast<T*>(static_cast<char*>(view().data) + view().byte_offset);
  }
  bool contiguous() const {
    if (elements() == 0) return true;
    std::int64_t expected = 1;
    for (int d = ndim() - 1; d >= 0; --d) {
      if (size(d) > 1 && stride(d) != expected) return false;
      expected *= size(d);
    }
    return true;
  }

  DLManagedTensor* managed_ = nullptr;
};

// Calls function(MatrixView<T>) for the tensor's type of logits.
template <typename Function>
void with_logits(const BorrowedTensor& tensor, Function function) {
  switch (tensor.dtype()) {
    case DataType::kFloat32:
      return function(tensor.matrix<float>());
    case DataType::kBfloat16:
      return function(tensor.matrix<Bfloat16>());
    case DataType::kFloat16:
      return function(tensor.matrix<Float16>());
    default:
      throw InvalidInput("logits must be float32, bfloat16 or float16");
  }
}

}  // namespace rlvr::python
