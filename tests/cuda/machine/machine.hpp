// Runs a cluster of blocks on the host. The device threads are fibers of one host thread. The
// machine knows the event that each thread waits for, so that a kernel that hangs ends with an
// error that lists the waiting threads and their events.
//
// Clusters run one after another, because no kernel communicates with another cluster except
// through the order of launches. The schedule may switch to another thread where a thread waits,
// and after an effect that other threads may observe (preempt()); it never interrupts a thread
// between plain loads and stores.
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
#include "machine/schedule.hpp"
#include "machine/shared_memory.hpp"
#include "machine/thread_copies.hpp"
#include "machine/wait.hpp"
#include "machine/warpgroup_products.hpp"

namespace machine {

inline constexpr int kWarpThreads = 32;

// A point where all threads of a group meet. The last thread to arrive runs the action for all
// threads, before any thread continues.
class Rendezvous {
 public:
  explicit Rendezvous(int threads) : operands_(threads) {}

  // `slot`: the caller's number in the group. All threads must pass the same `what`.
  // action(operands) receives the operands of all threads in the order of the slots.
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
  int index = 0;  // number in its block
  int lane = 0;
  Wait* wait = nullptr;  // null while the thread can run
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
  unsigned cluster;  // blocks of a cluster
  int threads;       // threads of a block, a multiple of 32
  std::size_t shared_bytes;
};

class Cluster {
 public:
  Cluster(const Shape& shape, unsigned first_block, std::uint64_t seed);

  // Runs `body` in each thread, with threadIdx and the other coordinates set.
  void run(const std::function<void()>& body);

  Block& owner(Address address);  // the block whose shared memory holds the address
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
  std::vector<Warp*> warps_;  // the warps of all blocks
  Rendezvous all_;
  Fiber scheduler_;
  const std::function<void()>* body_ = nullptr;
  std::exception_ptr failure_;
  std::vector<int> ready_agents_;
};

// The running thread.
Thread& self();

// The settings of the following launches.
struct Configuration {
  std::uint64_t seed = 2;
  int processors = 3;  // the multiprocessors that the device reports: few, so that a block computes
                       // several units of work
};
Configuration& configuration();

void run(const Shape& shape, const std::function<void()>& body);

}  // namespace machine
