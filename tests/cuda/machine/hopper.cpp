#include "machine/hopper.hpp"

#include "machine/machine.hpp"

namespace rlvr::cuda::hopper {

namespace {

using machine::Address;
using machine::Block;
using machine::Thread;

Block& block() { return *machine::self().block; }
machine::Cluster& cluster() { return block().cluster; }

// Called where other threads may observe an effect: the schedule may run other threads first.
void preempt() { cluster().preempt(machine::self()); }

machine::Warpgroup& warpgroup() {
  Block& of = block();
  const auto index = static_cast<std::size_t>(machine::self().index / 128);
  if (index >= of.warpgroups.size()) machine::fault("wgmma by fewer than four whole warps");
  return of.warpgroups[index];
}

Address address_of(const void* pointer) { return shared_address(pointer); }

template <int kSize>
void multiply(float (&d)[kSize], std::uint64_t a, std::uint64_t b, int accumulate,
              machine::HalfType type) {
  warpgroup().multiply(machine::self(), d, 2 * kSize, a, b, accumulate != 0, type);
}

}  // namespace

void barrier_init(std::uint64_t* barrier, int arrivals) {
  block().barriers.init(address_of(barrier), arrivals);
}

void barrier_init_fence() { block().barriers.publish(); }

// mbarrier.arrive.expect_tx: first adds the bytes, then arrives.
void barrier_expect(std::uint64_t* barrier, std::uint32_t bytes) {
  block().barriers.expect(address_of(barrier), bytes);
  block().barriers.arrive(address_of(barrier), false);
  preempt();
}

// mapa: the same offset in the shared memory of another block.
void barrier_arrive(std::uint64_t* barrier, std::uint32_t to) {
  constexpr Address kPlace = (Address{1} << machine::kRankShift) - 1;
  Block& other = cluster().at(static_cast<int>(to));
  const Address place = address_of(barrier) & kPlace;
  other.barriers.arrive(to << machine::kRankShift | place, &other != &block());
  preempt();
}

void barrier_wait(std::uint64_t* barrier, std::uint32_t parity) {
  preempt();
  block().barriers.wait(address_of(barrier), parity);
}

void cluster_sync() {
  const Thread& thread = machine::self();
  const int threads = static_cast<int>(block().threads.size());
  cluster().all().meet("barrier.cluster", block().rank * threads + thread.index);
}

std::uint32_t cluster_rank() { return static_cast<std::uint32_t>(block().rank); }

void prefetch_map(const TensorMap* map) { machine::TensorMap::decode(*map); }

void copy_box(const TensorMap* map, std::uint64_t* barrier, void* destination, int column,
              int row) {
  cluster().copies().copy(*map, address_of(barrier), address_of(destination), column, row);
  preempt();
}

void copy_box_to(const TensorMap* map, std::uint64_t* barrier, void* destination, int column,
                 int row, std::uint16_t mask) {
  cluster().copies().copy(*map, address_of(barrier), address_of(destination), column, row, mask);
  preempt();
}

// As in hopper.cuh. MatrixDescriptor::decode reads the descriptor as the PTX ISA defines it.
std::uint64_t tile_descriptor(const void* tile) {
  const std::uint64_t start = (address_of(tile) & 0x3ffffu) >> 4;
  return start | std::uint64_t{1} << 16 | std::uint64_t{1024 >> 4} << 32 | std::uint64_t{1} << 62;
}

void product_fence() { warpgroup().fence(machine::self()); }

void product_commit() { warpgroup().commit(machine::self()); }

void product_wait(int pending) {
  preempt();
  warpgroup().wait(machine::self(), pending);
}

void multiply_bfloat16(float (&d)[128], std::uint64_t a, std::uint64_t b, int accumulate) {
  multiply(d, a, b, accumulate, machine::HalfType::kBfloat16);
}

void multiply_float16(float (&d)[128], std::uint64_t a, std::uint64_t b, int accumulate) {
  multiply(d, a, b, accumulate, machine::HalfType::kFloat16);
}

void multiply_bfloat16(float (&d)[64], std::uint64_t a, std::uint64_t b, int accumulate) {
  multiply(d, a, b, accumulate, machine::HalfType::kBfloat16);
}

void multiply_float16(float (&d)[64], std::uint64_t a, std::uint64_t b, int accumulate) {
  multiply(d, a, b, accumulate, machine::HalfType::kFloat16);
}

}  // namespace rlvr::cuda::hopper
