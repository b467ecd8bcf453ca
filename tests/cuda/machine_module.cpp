// A module that replaces rlvr_fast._core.cuda in the tests and runs every kernel and launch on the
// machine, so that the whole of rlvr_fast/scoring/kernels/cuda.py runs without a GPU. Pointers are
// host pointers. The arithmetic differs from a GPU's in exp2, by two units in the last place, and
// in the order of sums inside a tensor core.
#include <pybind11/pybind11.h>

#include "machine/machine.hpp"
#include "machine/warp_products.hpp"

void bind_cuda(pybind11::module_& m);

PYBIND11_MODULE(rlvr_fast_machine, m) {
  bind_cuda(m);
  m.def("bank_conflicts", &machine::bank_conflicts);
  // Sets the seed of the schedule and the number of multiprocessors for the following launches.
  m.def("configure_machine", [](std::uint64_t seed, int processors) {
    machine::configuration() = {.seed = seed, .processors = processors};
  });
}
