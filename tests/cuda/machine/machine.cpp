#include "machine/machine.hpp"

#include <cstring>
#include <map>
#include <utility>

#include "machine/cuda.hpp"

Coordinates threadIdx;
Coordinates blockIdx;
Coordinates gridDim;
Coordinates blockDim;

namespace machine {

namespace {

Thread* running = nullptr;

std::string name_of(const Thread& thread) {
  return "block " + std::to_string(thread.block->index) + " thread " + std::to_string(thread.index);
}

}  // namespace

Thread& self() {
  if (running == nullptr) fault("a device instruction outside of a kernel");
  return *running;
}

Configuration& configuration() {
  static Configuration current;
  return current;
}

void WaitQueue::wake_all() {
  for (Thread* thread : std::exchange(threads_, {})) thread->block->cluster.wake(*thread);
}

struct Rendezvous::Meeting final : Wait {
  explicit Meeting(Rendezvous& of) : place(of), number(of.meetings_), what(of.what_) {}
  bool over() const override { return place.meetings_ != number; }
  WaitQueue& queue() override { return place.waiting_; }
  std::string describe() const override {
    return std::string(what) + ", where " + std::to_string(place.arrived_) + " of " +
           std::to_string(place.operands_.size()) + " threads are";
  }
  Rendezvous& place;
  std::uint64_t number;
  const char* what;
};

void Rendezvous::meet(const char* what, int slot, void* operands,
                      const std::function<void(const std::vector<void*>&)>& action) {
  if (arrived_ == 0) {
    what_ = what;
  } else if (std::strcmp(what, what_) != 0) {
    fault(std::string(what) + ", while others of its group are at " + what_);
  }
  operands_[slot] = operands;
  if (++arrived_ < static_cast<int>(operands_.size())) {
    Meeting meeting(*this);
    Thread& thread = self();
    thread.block->cluster.wait(thread, meeting);
    return;
  }
  arrived_ = 0;
  ++meetings_;
  action(operands_);
  waiting_.wake_all();
}

Block::Block(Cluster& of, int rank_in_cluster, unsigned index_in_grid, int threads_of_block,
             std::size_t shared_bytes, std::uint32_t shared_first)
    : cluster(of),
      rank(rank_in_cluster),
      index(index_in_grid),
      shared(rank_in_cluster, shared_bytes, shared_first),
      barriers(*this),
      all(threads_of_block),
      live(threads_of_block) {
  const int warp_count = threads_of_block / kWarpThreads;
  for (int w = 0; w < warp_count; ++w) {
    warps.push_back(std::make_unique<Warp>(rank * warp_count + w));
  }
  for (int g = 0; g < warp_count / Warpgroup::kWarps; ++g) warpgroups.emplace_back(*this);
  for (int t = 0; t < threads_of_block; ++t) {
    auto thread = std::make_unique<Thread>();
    thread->block = this;
    thread->index = t;
    thread->lane = t % kWarpThreads;
    thread->warp = warps[t / kWarpThreads].get();
    thread->warp->ready.push_back(thread.get());
    threads.push_back(std::move(thread));
  }
}

Cluster::Cluster(const Shape& shape, unsigned first_block, std::uint64_t seed)
    : shape_(shape),
      schedule_(seed, static_cast<int>(shape.cluster) * shape.threads / kWarpThreads + 1),
      copies_(*this),
      all_(static_cast<int>(shape.cluster) * shape.threads) {
  const auto shared_first = static_cast<std::uint32_t>(1024 + 16 * (seed % 5));
  for (unsigned rank = 0; rank < shape.cluster; ++rank) {
    blocks_.push_back(std::make_unique<Block>(*this, static_cast<int>(rank), first_block + rank,
                                              shape.threads, shape.shared_bytes, shared_first));
    for (auto& warp : blocks_.back()->warps) warps_.push_back(warp.get());
  }
}

Block& Cluster::at(int rank) {
  if (rank < 0 || rank >= size()) {
    fault("block " + std::to_string(rank) + " of a cluster of " + std::to_string(size()));
  }
  return *blocks_[rank];
}

Block& Cluster::owner(Address address) { return at(static_cast<int>(address >> kRankShift)); }

void Cluster::thread_main(void* argument) {
  Thread& thread = *static_cast<Thread*>(argument);
  Cluster& cluster = thread.block->cluster;
  try {
    (*cluster.body_)();
    cluster.leave(thread);
  } catch (const Fault& caught) {
    cluster.failure_ = std::make_exception_ptr(Fault(name_of(thread) + ": " + caught.what()));
  } catch (...) {
    cluster.failure_ = std::current_exception();
  }
  thread.fiber.switch_to(cluster.scheduler_);  // never returns
}

void Cluster::leave(Thread& thread) {
  thread.copies.check_idle();
  Block& block = *thread.block;
  if (--block.live > 0) return;
  for (Warpgroup& group : block.warpgroups) group.check_idle();
  copies_.check_idle(block);
  block.shared.check_edges();
}

void Cluster::resume(Thread& thread) {
  running = &thread;
  threadIdx = {static_cast<unsigned>(thread.index), 0, 0};
  blockIdx = {thread.block->index, 0, 0};
  scheduler_.switch_to(thread.fiber);
  running = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Cluster::wait(Thread& thread, Wait& wait) {
  while (!wait.over()) {
    thread.wait = &wait;
    wait.queue().add(thread);
    thread.fiber.switch_to(scheduler_);
  }
}

void Cluster::wake(Thread& thread) { thread.warp->ready.push_back(&thread); }

void Cluster::preempt(Thread& thread) {
  if (!schedule_.preempts()) return;
  wake(thread);
  thread.fiber.switch_to(scheduler_);
}

// One turn of one agent. In a turn of a warp, the schedule decides how many threads run. Returns
// false where no agent can run.
bool Cluster::step() {
  ready_agents_.clear();
  for (const Warp* warp : warps_) {
    if (!warp->ready.empty()) ready_agents_.push_back(warp->agent);
  }
  const int engine = static_cast<int>(warps_.size());
  if (copies_.pending() > 0) ready_agents_.push_back(engine);
  if (ready_agents_.empty()) return false;

  const int agent = schedule_.choose(ready_agents_);
  if (agent == engine) {
    copies_.land(schedule_.below(copies_.pending()));
    return true;
  }
  std::vector<Thread*>& ready = warps_[agent]->ready;
  do {
    std::swap(ready[schedule_.below(ready.size())], ready.back());
    Thread& thread = *ready.back();
    ready.pop_back();
    if (thread.wait != nullptr && !thread.wait->over()) {
      thread.wait->queue().add(thread);
    } else {
      thread.wait = nullptr;
      resume(thread);
    }
  } while (!ready.empty() && !schedule_.preempts());
  return true;
}

void Cluster::run(const std::function<void()>& body) {
  body_ = &body;
  gridDim = {shape_.blocks, 1, 1};
  blockDim = {static_cast<unsigned>(shape_.threads), 1, 1};
  for (auto& block : blocks_) {
    for (auto& thread : block->threads) thread->fiber.prepare(&Cluster::thread_main, thread.get());
  }
  while (step()) continue;
  for (const auto& block : blocks_) {
    if (block->live > 0) report_hang();
  }
}

// Reports the threads that wait for the same event in one line, as ranges of thread numbers.
void Cluster::report_hang() const {
  std::string text = "the kernel hangs:";
  for (const auto& block : blocks_) {
    std::map<std::string, std::vector<int>> waiting;
    for (const auto& thread : block->threads) {
      if (thread->wait != nullptr) waiting[thread->wait->describe()].push_back(thread->index);
    }
    for (const auto& [what, threads] : waiting) {
      text += "\n  block " + std::to_string(block->index) + " threads";
      for (std::size_t i = 0; i < threads.size();) {
        std::size_t last = i;
        while (last + 1 < threads.size() && threads[last + 1] == threads[last] + 1) ++last;
        text += (i == 0 ? " " : ", ") + std::to_string(threads[i]);
        if (last > i) text += "-" + std::to_string(threads[last]);
        i = last + 1;
      }
      text += " wait at " + what;
    }
  }
  fault(text);
}

void run(const Shape& shape, const std::function<void()>& body) {
  if (shape.cluster == 0 || shape.cluster > kMostBlocks || shape.blocks % shape.cluster != 0) {
    fault("a grid of " + std::to_string(shape.blocks) + " blocks in clusters of " +
          std::to_string(shape.cluster));
  }
  if (shape.threads <= 0 || shape.threads > 1024 || shape.threads % kWarpThreads != 0) {
    fault("a block of " + std::to_string(shape.threads) + " threads");
  }
  if (shape.shared_bytes > kMostShared) fault("more shared memory than a block may have");
  for (unsigned first = 0; first < shape.blocks; first += shape.cluster) {
    Cluster(shape, first, configuration().seed).run(body);
  }
}

}  // namespace machine
