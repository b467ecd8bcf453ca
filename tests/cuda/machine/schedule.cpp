#include "machine/schedule.hpp"

#include <algorithm>

namespace machine {

Schedule::Schedule(std::uint64_t seed, int agents)
    : policy_(seed == 0       ? Policy::kFirst
              : seed == 1     ? Policy::kLast
              : seed % 2 == 0 ? Policy::kUniform
                              : Policy::kPriorities),
      state_(seed) {
  for (int i = 0; i < agents; ++i) priorities_.push_back(draw());
}

// splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
std::uint64_t Schedule::draw() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::size_t Schedule::below(std::size_t count) {
  if (policy_ == Policy::kFirst) return 0;
  if (policy_ == Policy::kLast) return count - 1;
  return draw() % count;
}

bool Schedule::preempts() {
  return (policy_ == Policy::kUniform || policy_ == Policy::kPriorities) && draw() % 8 == 0;
}

int Schedule::choose(const std::vector<int>& ready) {
  switch (policy_) {
    case Policy::kFirst:
      return ready.front();
    case Policy::kLast:
      return ready.back();
    case Policy::kUniform:
      return ready[draw() % ready.size()];
    case Policy::kPriorities:
      break;
  }
  if (draw() % 64 == 0) priorities_[draw() % priorities_.size()] = draw();
  return *std::max_element(ready.begin(), ready.end(),
                           [this](int a, int b) { return priorities_[a] < priorities_[b]; });
}

}  // namespace machine
