// A cluster of blocks on the host: their threads are fibers of one host thread, and what a thread
// waits for is known, so that a kernel that hangs ends with an error that names who waits where.
//
// Clusters run one after another: no kernel of ours talks to another cluster but through the order
// of launches. A thread is left where it waits, and now and then where it does what others may
// see (preempt()); plain loads and stores in between are never torn apart.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "machine/barrier.hpp"
#include "machine/copy_engine.hpp"
#include "machine/fault.hpp"
#include "machine/fiber.hpp"
#include "machine/products.hpp"
#include "machine/schedule.hpp"
#include "machine/shared_memory.hpp"
#include "machine/thread_copies.hpp"
#include "machine/wait.hpp"

namespace machine {

inline constexpr int kWarpThreads = 32;

// All threads of a group meet: the last to come acts for all, before any goes on.
class Rendezvous {
 public:
  explicit Rendezvous(int threads) : operands_(threads) {}

  // `slot`: the caller's place among the threads. All must come for the same `what`.
  // action(operands): what each brought, in order of the slots.
  void meet(const char* what, int slot, void* operands,
            const std::function<void(const std::vector<void*>&)>& action);
  void meet(const char* what, int slot) {
    meet(what, slot, nullptr, [](const auto&) {});
  }

 private:
  struct Meeting;

  const char* what_ = "";
  int arrived_ = 0;
  std::uint64_t meetings_ = 0;
  std::vector<void*> operands_;
  WaitQueue waiting_;
};

struct Thread {
  Fiber fiber;
  Block* block = nullptr;
  Warp* warp = nullptr;
  int index = 0;  // in its block
  int lane = 0;
  Wait* wait = nullptr;  // null while it may run
  ThreadCopies copies;
};

struct Warp {
  explicit Warp(int index_of_agent) : agent(index_of_agent), lanes(kWarpThreads) {}

  int agent;
  Rendezvous lanes;
  std::vector<Thread*> ready;
};

struct Block {
  Block(Cluster& of, int rank_in_cluster, unsigned index_in_grid, int threads_of_block,
        std::size_t shared_bytes, std::uint32_t shared_first);

  Cluster& cluster;
  int rank;
  unsigned index;
  SharedMemory shared;
  Barriers barriers;
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<std::unique_ptr<Warp>> warps;
  std::vector<Warpgroup> warpgroups;
  Rendezvous all;
  int live;
};

struct Shape {
  unsigned blocks;
  unsigned cluster;  // blocks of one
  int threads;       // of a block, a multiple of 32
  std::size_t shared_bytes;
};

class Cluster {
 public:
  Cluster(const Shape& shape, unsigned first_block, std::uint64_t seed);

  // `body` is what each thread does, with threadIdx and its like set.
  void run(const std::function<void()>& body);

  Block& owner(Address address);  // whose shared memory it is in
  Block& at(int rank);
  int size() const { return static_cast<int>(blocks_.size()); }
  CopyEngine& copies() { return copies_; }
  Rendezvous& all() { return all_; }

  void wait(Thread& thread, Wait& wait);
  void wake(Thread& thread);
  void preempt(Thread& thread);

 private:
  static void thread_main(void* thread);
  void resume(Thread& thread);
  bool step();
  void leave(Thread& thread);
  [[noreturn]] void report_hang() const;

  Shape shape_;
  Schedule schedule_;
  CopyEngine copies_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Warp*> warps_;  // of all blocks
  Rendezvous all_;
  Fiber scheduler_;
  const std::function<void()>* body_ = nullptr;
  std::exception_ptr failure_;
  std::vector<int> ready_agents_;
};

// The thread that runs now.
Thread& self();

// How launches run from now on.
struct Configuration {
  std::uint64_t seed = 2;
  int processors = 3;  // what the device says it has: few, so that blocks take several units
};
Configuration& configuration();

void run(const Shape& shape, const std::function<void()>& body);

}  // namespace machine
