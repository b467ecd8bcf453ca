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
  int source;
  int argument;
  unsigned char received[8];
};

void exchange(const std::vector<void*>& lanes) {
  const auto offer = [&](int lane) -> Offer& { return *static_cast<Offer*>(lanes[lane]); };
  for (int lane = 0; lane < kWarpThreads; ++lane) {
    Offer& to = offer(lane);
    if (to.source < 0 || to.source >= kWarpThreads || to.bytes != offer(0).bytes ||
        to.argument != offer(0).argument) {
      fault("lanes that shuffle differently, or from outside the warp");
    }
    std::memcpy(to.received, offer(to.source).value, to.bytes);
  }
}

}  // namespace

int lane() { return self().lane; }

void shuffle(const char* what, void* value, std::size_t bytes, int source, int argument) {
  Thread& thread = self();
  Offer mine = {static_cast<unsigned char*>(value), bytes, source, argument, {}};
  thread.warp->lanes.meet(what, thread.lane, &mine, exchange);
  std::memcpy(value, mine.received, bytes);
}

}  // namespace machine

namespace rlvr::cuda {

unsigned char* dynamic_shared() {
  return reinterpret_cast<unsigned char*>(machine::self().block->shared.dynamic());
}

}  // namespace rlvr::cuda
