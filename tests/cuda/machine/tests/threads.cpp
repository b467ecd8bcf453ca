// Tests of threads: their order, barriers, shuffles and atomics.
#include <set>
#include <vector>

#include "machine/cuda.hpp"
#include "machine/tests/check.hpp"

namespace machine::tests {

namespace {

constexpr Shape kBlock = {.blocks = 1, .cluster = 1, .threads = 128, .shared_bytes = 1024};

}  // namespace

TEST(every_thread_of_every_block_runs_once) {
  std::vector<int> runs(6 * 64);
  with_seed(2, {.blocks = 6, .cluster = 2, .threads = 64, .shared_bytes = 0}, [&] {
    CHECK(gridDim.x == 6 && blockDim.x == 64);
    ++runs[blockIdx.x * 64 + threadIdx.x];
  });
  for (const int n : runs) CHECK(n == 1);
}

TEST(each_seed_gives_its_own_repeatable_order) {
  const auto order_of = [](std::uint64_t seed) {
    std::vector<unsigned> order;
    with_seed(seed, kBlock, [&] {
      __syncthreads();
      order.push_back(threadIdx.x);
    });
    return order;
  };
  std::set<std::vector<unsigned>> orders;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    orders.insert(order_of(seed));
    CHECK(order_of(seed) == order_of(seed));
  }
  CHECK(orders.size() == kSeeds);
}

TEST(threadIdx_is_unchanged_after_other_threads_run) {
  with_all_seeds(kBlock, [] {
    const unsigned mine = threadIdx.x;
    for (int i = 0; i < 3; ++i) {
      __syncthreads();
      CHECK(threadIdx.x == mine);
    }
  });
}

TEST(syncthreads_makes_writes_visible) {
  with_all_seeds(kBlock, [] {
    auto* values = reinterpret_cast<unsigned*>(rlvr::cuda::dynamic_shared());
    values[threadIdx.x] = threadIdx.x;
    __syncthreads();
    CHECK(values[127 - threadIdx.x] == 127 - threadIdx.x);
  });
}

TEST(a_missing_syncthreads_gives_wrong_values_in_some_schedule) {
  int wrong = 0;
  with_all_seeds(kBlock, [&] {
    auto* values = reinterpret_cast<unsigned*>(rlvr::cuda::dynamic_shared());
    values[threadIdx.x] = threadIdx.x;
    __syncwarp();
    wrong += values[127 - threadIdx.x] != 127 - threadIdx.x ? 1 : 0;
  });
  CHECK(wrong > 0);
}

TEST(a_shuffle_returns_the_value_of_the_source_lane) {
  with_all_seeds(kBlock, [] {
    const int lane = static_cast<int>(threadIdx.x % 32);
    for (const int mask : {1, 2, 16}) {
      CHECK(__shfl_xor_sync(0xffffffffu, 3 * lane, mask) == 3 * (lane ^ mask));
      CHECK(__shfl_xor_sync(0xffffffffu, 0.5 * lane, mask) == 0.5 * (lane ^ mask));
      CHECK(__shfl_up_sync(0xffffffffu, 3 * lane, mask) == 3 * (lane < mask ? lane : lane - mask));
    }
  });
}

TEST(atomics_count_every_thread) {
  with_all_seeds(kBlock, [] {
    auto* counts = reinterpret_cast<int*>(rlvr::cuda::dynamic_shared());
    if (threadIdx.x == 0) counts[0] = 0, counts[1] = 1000;
    __syncthreads();
    atomicAdd(&counts[0], 2);
    atomicMin(&counts[1], 500 - static_cast<int>(threadIdx.x));
    __syncthreads();
    CHECK(counts[0] == 256 && counts[1] == 500 - 127);
  });
}

TEST(each_block_has_its_own_shared_memory_that_begins_as_nan) {
  const Shape shape = {.blocks = 4, .cluster = 2, .threads = 32, .shared_bytes = 1024};
  with_all_seeds(shape, [] {
    auto* value = reinterpret_cast<float*>(rlvr::cuda::dynamic_shared());
    if (threadIdx.x == 0) {
      CHECK(*value != *value);
      *value = static_cast<float>(blockIdx.x);
    }
    __syncthreads();
    CHECK(*value == static_cast<float>(blockIdx.x));
  });
}

TEST(a_hang_reports_the_waiting_threads_and_events) {
  const auto kernel = [] {
    if (threadIdx.x != 5) __syncthreads();
  };
  expect_fault("block 0 threads 0-4, 6-127 wait at __syncthreads, where 127 of 128", kBlock,
               kernel);
}

TEST(lanes_at_different_instructions_are_a_fault) {
  const auto kernel = [] {
    if (threadIdx.x % 2 == 0) {
      __syncwarp();
    } else {
      __shfl_xor_sync(0xffffffffu, 1, 1);
    }
  };
  expect_fault("while others of its group are at", kBlock, kernel);
}

TEST(lanes_that_shuffle_differently_are_a_fault) {
  expect_fault("shuffle differently", kBlock,
               [] { __shfl_xor_sync(0xffffffffu, 1, threadIdx.x % 2 == 0 ? 1 : 2); });
}

TEST(a_write_outside_the_shared_memory_of_the_launch_is_a_fault) {
  expect_fault("outside the shared memory", kBlock, [] {
    if (threadIdx.x == 0) rlvr::cuda::dynamic_shared()[1024 + 3] = 1;
  });
}

TEST(a_trap_is_an_error) {
  expect_fault("__trap", kBlock, [] { __trap(); });
}

}  // namespace machine::tests
