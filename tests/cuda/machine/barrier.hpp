// The mbarrier objects of a block. PTX ISA, "Parallel Synchronization and Communication
// Instructions: mbarrier".
//
// A phase is over when all expected arrivals and all expected bytes have come. The machine reports
// cases that the hardware leaves undefined: an arrival beyond the expected ones, the use of a
// barrier before its initialisation is visible, a barrier that is overwritten or initialised twice.
#pragma once

#include <cstdint>
#include <map>

#include "machine/shared_memory.hpp"
#include "machine/wait.hpp"

namespace machine {

struct Barrier {
  int expected;
  int pending;             // arrivals that this phase still waits for
  std::int64_t bytes = 0;  // bytes that this phase still waits for: the tx-count
  std::uint64_t phase = 0;
  bool published = false;  // visible to the other blocks and the copy engine
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

  // mbarrier.try_wait.parity, repeated until the result is true: waits while the current phase has
  // this parity.
  void wait(Address address, std::uint32_t parity);

 private:
  struct ParityWait;

  Barrier& at(Address address);
  void advance(Barrier& barrier);

  Block& block_;
  std::map<Address, Barrier> barriers_;  // key: the address in the block's shared memory
};

}  // namespace machine
