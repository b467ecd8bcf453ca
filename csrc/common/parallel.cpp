#include "common/parallel.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace rlvr {
namespace {

int available_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::atomic<int> requested_threads{0};

struct Loop {
  std::int64_t count = 0;
  const std::function<void(std::int64_t)>* task = nullptr;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  std::mutex error_mutex;

  void work() {
    for (;;) {
      const std::int64_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count || failed.load(std::memory_order_relaxed)) return;
      try {
        (*task)(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(error_mutex);
        if (!error) error = std::current_exception();
        failed.store(true, std::memory_order_relaxed);
      }
    }
  }
};

class Pool {
 public:
  explicit Pool(int workers) : owner_(getpid()) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { run(); });
  }

  ~Pool() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  bool belongs_here(int workers) const {
    return owner_ == getpid() && static_cast<int>(threads_.size()) == workers;
  }
  bool forked() const { return owner_ != getpid(); }

  void execute(Loop& loop) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      loop_ = &loop;
      ++generation_;
      busy_ = static_cast<int>(threads_.size());
    }
    wake_.notify_all();
    loop.work();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    loop_ = nullptr;
  }

 private:
  void run() {
    std::uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
      Loop* loop = loop_;
      lock.unlock();
      loop->work();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  const pid_t owner_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  Loop* loop_ = nullptr;
  std::uint64_t generation_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
};

// Never destroyed: joining the workers would hang at exit, where they may be inside libc's
// teardown, and after a fork, where they do not exist.
struct Shared {
  std::atomic<bool> in_use{false};
  std::unique_ptr<Pool> pool;
  pid_t owner = getpid();
};

Shared& shared() {
  static Shared* instance = new Shared;
  return *instance;
}

}  // namespace

int num_threads() {
  const int requested = requested_threads.load(std::memory_order_relaxed);
  if (requested > 0) return requested;
  static const int available = available_processors();
  return available;
}

void set_num_threads(int threads) { requested_threads.store(std::max(0, threads)); }

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& task) {
  if (count <= 0) return;
  Shared& state = shared();
  if (state.owner != getpid()) {  // a forked child does not run the parent's loop
    state.owner = getpid();
    state.in_use.store(false);
  }
  const int workers = num_threads() - 1;
  bool expected = false;
  if (workers <= 0 || count == 1 || !state.in_use.compare_exchange_strong(expected, true)) {
    for (std::int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  struct Release {
    std::atomic<bool>& flag;
    ~Release() { flag.store(false); }
  } release{state.in_use};
  if (!state.pool || !state.pool->belongs_here(workers)) {
    if (state.pool && state.pool->forked()) (void)state.pool.release();
    state.pool = std::make_unique<Pool>(workers);
  }
  Loop loop;
  loop.count = count;
  loop.task = &task;
  state.pool->execute(loop);
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace rlvr
