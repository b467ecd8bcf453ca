// Columns from Python objects with the Arrow PyCapsule protocol
// (https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html), and buffers back.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <utility>
#include <vector>

#include "answers/columns.hpp"
#include "common/error.hpp"

namespace rlvr {

inline answers::Column column_from_python(const pybind11::object& source, const char* what) {
  namespace py = pybind11;
  const auto pointer = [&](const py::object& capsule, const char* name) {
    void* p = PyCapsule_GetPointer(capsule.ptr(), name);
    if (p == nullptr) throw py::error_already_set();
    return p;
  };
  try {
    if (py::hasattr(source, "__arrow_c_stream__")) {
      const py::object capsule = source.attr("__arrow_c_stream__")();
      return answers::import_stream(
          static_cast<ArrowArrayStream*>(pointer(capsule, "arrow_array_stream")));
    }
    if (py::hasattr(source, "__arrow_c_array__")) {
      const py::tuple capsules = source.attr("__arrow_c_array__")();
      auto* schema = static_cast<ArrowSchema*>(pointer(capsules[0], "arrow_schema"));
      return answers::import_array(schema,
                                   static_cast<ArrowArray*>(pointer(capsules[1], "arrow_array")));
    }
  } catch (const InvalidInput& error) {
    throw InvalidInput(std::string(what) + ": " + error.what());
  }
  throw InvalidInput(std::string(what) + ": expected an Arrow array, got " +
                     std::string(py::str(py::type::of(source).attr("__name__"))));
}

// A numpy array that takes over the vector's memory.
template <typename T>
pybind11::array_t<T> to_numpy(std::vector<T>&& values) {
  auto* held = new std::vector<T>(std::move(values));
  const pybind11::capsule owner(held, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return pybind11::array_t<T>(static_cast<pybind11::ssize_t>(held->size()), held->data(), owner);
}

}  // namespace rlvr
