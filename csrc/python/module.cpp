#include <pybind11/pybind11.h>

namespace py = pybind11;

void bind_scoring(py::module_& m);
void bind_answers(py::module_& m);
void bind_cuda(py::module_& m);
void bind_store(py::module_& m);

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled core of rlvr_fast: scoring kernels, the answer engine, columns of draws.";
  bind_scoring(m);
  bind_answers(m);
  bind_cuda(m);
  bind_store(m);
}
