#include "machine/ampere.hpp"

#include "machine/machine.hpp"
#include "machine/warp_products.hpp"

namespace rlvr::cuda::ampere {

using machine::self;

void copy_async(void* destination, const void* source, int bytes) {
  self().copies.copy(machine::shared_address(destination), source, bytes);
  self().block->cluster.preempt(self());
}

void copy_commit() { self().copies.commit(); }

void copy_wait(int pending) { self().copies.wait(pending); }

void load_matrices(std::uint32_t (&matrices)[4], const void* row) {
  machine::load_matrices(matrices, machine::shared_address(row));
}

void multiply(float* d, const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
              machine::HalfType type) {
  const std::uint32_t b[2] = {b0, b1};
  machine::multiply_add(d, a, b, type);
}

}  // namespace rlvr::cuda::ampere
