// A module that stands where rlvr_fast._core.cuda stands and runs every kernel, and its launches,
// on the machine of these tests: so that rlvr_fast/scoring/cuda.py runs whole where there is no
// GPU. Pointers are host pointers. Of the arithmetic only exp2 differs, by two units in the last
// place, and the order of sums inside a tensor core.
#include <pybind11/pybind11.h>

#include "machine/machine.hpp"
#include "machine/warp_products.hpp"

void bind_cuda(pybind11::module_& m);

PYBIND11_MODULE(rlvr_fast_machine, m) {
  bind_cuda(m);
  m.def("bank_conflicts", &machine::bank_conflicts);
  // How kernels run from now on: the seed of their schedule, the device's multiprocessors.
  m.def("configure_machine", [](std::uint64_t seed, int processors) {
    machine::configuration() = {.seed = seed, .processors = processors};
  });
}
