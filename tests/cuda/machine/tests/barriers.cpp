// Tests of mbarrier: phases, parities and bytes.
#include "machine/cuda.hpp"
#include "machine/hopper.hpp"
#include "machine/tests/check.hpp"

namespace machine::tests {

using namespace rlvr::cuda::hopper;

namespace {

constexpr Shape kBlock = {.blocks = 1, .cluster = 1, .threads = 96, .shared_bytes = 1024};
constexpr Shape kPair = {.blocks = 2, .cluster = 2, .threads = 64, .shared_bytes = 1024};

std::uint64_t* barrier(int index = 0) {
  return reinterpret_cast<std::uint64_t*>(rlvr::cuda::dynamic_shared()) + index;
}

void begin(int arrivals, int barriers = 1) {
  if (threadIdx.x == 0) {
    for (int i = 0; i < barriers; ++i) barrier_init(barrier(i), arrivals);
    barrier_init_fence();
  }
  __syncthreads();
}

}  // namespace

TEST(a_new_barrier_does_not_wait_for_the_previous_parity) {
  with_seed(0, kBlock, [] {
    begin(1);
    barrier_wait(barrier(), 1);
  });
}

TEST(a_phase_ends_with_its_last_arrival) {
  int arrived = 0;
  with_all_seeds(kBlock, [&] {
    if (threadIdx.x == 0) arrived = 0;
    begin(32);
    for (int phase = 0; phase < 5; ++phase) {
      if (threadIdx.x < 32) {
        ++arrived;
        barrier_arrive(barrier(), 0);
      }
      barrier_wait(barrier(), phase % 2);
      CHECK(arrived == 32 * (phase + 1));
      __syncthreads();
    }
  });
}

TEST(a_phase_waits_for_the_expected_bytes) {
  expect_fault(
      "threads 1-95 wait at mbarrier at 0x400 for parity 0; in phase 0, 0 of 1 arrivals "
      "and 48 bytes to come",
      kBlock, [] {
        begin(1);
        if (threadIdx.x == 0) {
          barrier_expect(barrier(), 48);
        } else {
          barrier_wait(barrier(), 0);
        }
      });
}

TEST(bytes_may_arrive_before_expect_tx) {
  with_all_seeds(kBlock, [] {
    begin(1);
    if (threadIdx.x == 0) {
      Block& block = *self().block;
      block.barriers.complete(shared_address(barrier()), 64);
      barrier_expect(barrier(), 64);
    }
    barrier_wait(barrier(), 0);
  });
}

TEST(more_arrivals_than_expected_are_a_fault) {
  expect_fault("more arrivals than it expects", kBlock, [] {
    begin(2);
    if (threadIdx.x == 0) {
      self().block->barriers.expect(shared_address(barrier()), 16);
      for (int i = 0; i < 3; ++i) barrier_arrive(barrier(), 0);
    }
  });
}

TEST(a_suspended_thread_may_miss_a_phase) {
  // Two phases end while the thread is suspended, so that the thread waits for a third. A ring of
  // stages must exclude this case.
  expect_fault_in_some_schedule("for parity 0; in phase 2", kBlock, [] {
    begin(1);
    if (threadIdx.x == 0) {
      barrier_arrive(barrier(), 0);
      barrier_arrive(barrier(), 0);
    } else if (threadIdx.x == 64) {
      barrier_wait(barrier(), 0);
    }
  });
}

TEST(a_thread_arrives_at_a_barrier_of_another_block) {
  with_all_seeds(kPair, [] {
    begin(4);
    cluster_sync();
    CHECK(cluster_rank() == blockIdx.x);
    if (threadIdx.x % 32 < 2) barrier_arrive(barrier(), threadIdx.x % 32);
    barrier_wait(barrier(), 0);
    cluster_sync();
  });
}

TEST(a_remote_arrival_without_the_initialisation_fence_is_a_fault) {
  expect_fault("without fence.mbarrier_init", kPair, [] {
    if (threadIdx.x == 0) barrier_init(barrier(), 1);
    cluster_sync();
    if (blockIdx.x == 1 && threadIdx.x == 0) barrier_arrive(barrier(), 0);
  });
}

TEST(a_remote_arrival_before_the_initialisation_is_a_fault) {
  expect_fault_in_some_schedule("is not initialised", kPair, [] {
    begin(1);
    if (threadIdx.x == 0) barrier_arrive(barrier(), 1 - cluster_rank());
    barrier_wait(barrier(), 0);
    cluster_sync();
  });
}

TEST(an_arrival_at_an_ended_block_is_a_fault) {
  expect_fault_in_some_schedule("a block that has ended", kPair, [] {
    begin(1);
    cluster_sync();
    if (blockIdx.x == 1 && threadIdx.x == 0) barrier_arrive(barrier(), 0);
  });
}

TEST(an_overwritten_barrier_is_a_fault) {
  expect_fault("was written over", kBlock, [] {
    begin(1);
    if (threadIdx.x == 0) {
      *barrier() = 0;
      barrier_arrive(barrier(), 0);
    }
  });
}

TEST(a_barrier_must_be_initialised_exactly_once) {
  expect_fault("initialised twice", kBlock, [] { begin(1, 1), begin(1, 1); });
  expect_fault("is not initialised", kBlock, [] { barrier_wait(barrier(), 0); });
  expect_fault("for 0 arrivals", kBlock, [] { begin(0); });
}

TEST(a_barrier_outside_shared_memory_is_a_fault) {
  expect_fault("not to shared memory", kBlock, [] {
    std::uint64_t local = 0;
    barrier_init(&local, 1);
  });
}

}  // namespace machine::tests
