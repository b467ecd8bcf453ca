// mbarrier objects of a block. PTX ISA, "Parallel Synchronization and Communication Instructions:
// mbarrier".
//
// A phase is over when its arrivals are all in and as many bytes have been copied as were expected.
// Stricter than the hardware, which leaves these undefined: an arrival beyond the expected ones, a
// barrier that is used before its initialisation can be seen or written over, or begun twice.
#pragma once

#include <cstdint>
#include <map>

#include "machine/shared_memory.hpp"
#include "machine/wait.hpp"

namespace machine {

struct Barrier {
  int expected;
  int pending;             // arrivals to come in this phase
  std::int64_t bytes = 0;  // to come in this phase: the tx-count
  std::uint64_t phase = 0;
  bool published = false;  // to the other blocks and the copy engine
  WaitQueue waiting;
};

class Barriers {
 public:
  explicit Barriers(Block& block) : block_(block) {}

  void init(Address address, int arrivals);
  // fence.mbarrier_init.release.cluster
  void publish();
  // `remotely`: by another block, or by the copy engine.
  void arrive(Address address, bool remotely);
  void expect(Address address, std::uint32_t bytes);
  void complete(Address address, std::size_t bytes);
  void check_published(Address address);

  // mbarrier.try_wait.parity until it is true: waits while the current phase has this parity.
  void wait(Address address, std::uint32_t parity);

 private:
  struct ParityWait;

  Barrier& at(Address address);
  void advance(Barrier& barrier);

  Block& block_;
  std::map<Address, Barrier> barriers_;  // by the place in the block's shared memory
};

}  // namespace machine
