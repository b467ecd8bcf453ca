// Chooses the next agent, by a seed. The agents are the warps of a cluster, block after block, and
// then the copy engine.
//
// Seed 0 takes the first agent that can run, so that copies arrive as late as possible. Seed 1
// takes the last agent, so that copies arrive at once and the last warps run ahead. Other even
// seeds draw an agent at each step. Other odd seeds give each agent a priority and redraw one
// priority from time to time (Burckhardt et al., "A randomized scheduler with probabilistic
// guarantees of finding bugs", ASPLOS 2010): then a warp may not run for a long time, which uniform
// draws never show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace machine {

class Schedule {
 public:
  Schedule(std::uint64_t seed, int agents);

  int choose(const std::vector<int>& ready);  // not empty, ascending
  std::size_t below(
      std::size_t count);  // chooses among the threads of a warp, or the pending copies
  bool preempts();         // whether to suspend a thread that could continue

 private:
  enum class Policy { kFirst, kLast, kUniform, kPriorities };

  std::uint64_t draw();

  Policy policy_;
  std::uint64_t state_;
  std::vector<std::uint64_t> priorities_;
};

}  // namespace machine
