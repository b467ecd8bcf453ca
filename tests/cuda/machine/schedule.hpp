// Who goes next, by a seed. Agents are the warps of a cluster, block after block, and after them
// the copy engine.
//
// Seed 0 takes the first agent that can go, so that copies land as late as they may; seed 1 the
// last, so that they land at once and the last warps run ahead. Other even seeds draw an agent at
// each step. Other odd ones give every agent a priority and draw one of them anew now and then
// (Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs",
// ASPLOS 2010): warps starve for long, which even draws never show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace machine {

class Schedule {
 public:
  Schedule(std::uint64_t seed, int agents);

  int choose(const std::vector<int>& ready);  // not empty, ascending
  std::size_t below(std::size_t count);       // which of several things of one agent
  bool preempts();                            // shall a thread be put off where it need not wait?

 private:
  enum class Policy { kFirst, kLast, kUniform, kPriorities };

  std::uint64_t draw();

  Policy policy_;
  std::uint64_t state_;
  std::vector<std::uint64_t> priorities_;
};

}  // namespace machine
