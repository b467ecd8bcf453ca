#include <pybind11/pybind11.h>

#include <cstdint>
#include <limits>

namespace py = pybind11;

namespace {

// Appends the integers of a sequence to a bytearray, 32 bits each. An error leaves the bytearray as
// it was.
void append_int32(const py::bytearray& out, const py::object& numbers) {
  const auto items = py::reinterpret_steal<py::object>(
      PySequence_Fast(numbers.ptr(), "expected a sequence of integers"));
  if (!items) throw py::error_already_set();
  const Py_ssize_t before = PyByteArray_GET_SIZE(out.ptr());
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.ptr());
  if (PyByteArray_Resize(out.ptr(), before + 4 * count) != 0) throw py::error_already_set();
  try {
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* item = PySequence_Fast_GET_ITEM(items.ptr(), i);
      long value;
      if (PyLong_CheckExact(item)) {
        value = PyLong_AsLong(item);
      } else {
        const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(item));
        if (!number) throw py::error_already_set();
        value = PyLong_AsLong(number.ptr());
        // The conversion may have run Python code, which may have changed both.
        if (PyByteArray_GET_SIZE(out.ptr()) != before + 4 * count ||
            PySequence_Fast_GET_SIZE(items.ptr()) != count) {
          throw py::value_error("the sequence changed while it was read");
        }
      }
      if (value == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
      if (value < std::numeric_limits<std::int32_t>::min() ||
          value > std::numeric_limits<std::int32_t>::max()) {
        PyErr_Format(PyExc_OverflowError, "%ld does not fit 32 bits", value);
        throw py::error_already_set();
      }
      const auto narrow = static_cast<std::int32_t>(value);
      __builtin_memcpy(PyByteArray_AS_STRING(out.ptr()) + before + 4 * i, &narrow, 4);
    }
  } catch (py::error_already_set&) {
    // Python's error is held by the exception meanwhile.
    PyByteArray_Resize(out.ptr(), before);
    throw;
  }
}

}  // namespace

void bind_store(py::module_& m) {
  m.def("append_int32", &append_int32, py::arg("out"), py::arg("numbers"),
        "Appends the integers of a sequence to a bytearray, as 32 bits each.");
}
