#include "machine/cuda.hpp"

#include "machine/machine.hpp"

void __syncthreads() {
  machine::Thread& thread = machine::self();
  thread.block->all.meet("__syncthreads", thread.index);
}

void __syncwarp() {
  machine::Thread& thread = machine::self();
  thread.warp->lanes.meet("__syncwarp", thread.lane);
}

void __trap() { machine::fault("__trap"); }

namespace machine {

namespace {

struct Offer {
  unsigned char* value;
  std::size_t bytes;
  int mask;
  unsigned char received[8];
};

}  // namespace

void exchange(void* value, std::size_t bytes, int mask) {
  Thread& thread = self();
  Offer mine = {static_cast<unsigned char*>(value), bytes, mask, {}};
  thread.warp->lanes.meet("__shfl_xor_sync", thread.lane, &mine,
                          [](const std::vector<void*>& lanes) {
                            for (int lane = 0; lane < kWarpThreads; ++lane) {
                              auto& to = *static_cast<Offer*>(lanes[lane]);
                              const auto& from = *static_cast<const Offer*>(lanes[lane ^ to.mask]);
                              if (from.bytes != to.bytes || from.mask != to.mask)
                                fault("lanes that shuffle differently");
                              std::memcpy(to.received, from.value, to.bytes);
                            }
                          });
  std::memcpy(value, mine.received, bytes);
}

}  // namespace machine

namespace rlvr::cuda {

unsigned char* dynamic_shared() {
  return reinterpret_cast<unsigned char*>(machine::self().block->shared.dynamic());
}

}  // namespace rlvr::cuda
