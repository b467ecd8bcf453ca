#include <pybind11/pybind11.h>

void bind_answers(pybind11::module_&) {}
