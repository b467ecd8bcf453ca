// Tests of the instructions of ampere.cuh: products of a warp, and copies of a thread.
#include <vector>

#include "machine/cuda.hpp"
#include "machine/tests/check.hpp"
#include "machine/tests/halves.hpp"
#include "machine/thread_copies.hpp"
#include "machine/warp_products.hpp"

namespace machine::tests {

namespace {

constexpr Shape kWarp = {.blocks = 1, .cluster = 1, .threads = 32, .shared_bytes = 4096};
constexpr Shape kTwoWarps = {.blocks = 1, .cluster = 1, .threads = 64, .shared_bytes = 4096};

std::uint16_t* halves() { return reinterpret_cast<std::uint16_t*>(rlvr::cuda::dynamic_shared()); }

// The bank conflicts of 32 rows of eight elements, at distances of `stride` bytes.
std::uint64_t conflicts_of(int stride) {
  const std::uint64_t before = bank_conflicts();
  with_seed(0, kWarp, [&] {
    std::uint32_t registers[4];
    load_matrices(registers,
                  shared_address(halves()) + threadIdx.x * static_cast<unsigned>(stride));
  });
  return bank_conflicts() - before;
}

struct alignas(16) Source {
  std::uint8_t bytes[16];
};

Source source() {
  Source made;
  for (int i = 0; i < 16; ++i) made.bytes[i] = static_cast<std::uint8_t>(i + 1);
  return made;
}

}  // namespace

TEST(ldmatrix_gives_each_lane_two_elements_of_each_matrix) {
  with_all_seeds(kWarp, [] {
    const int lane = static_cast<int>(threadIdx.x);
    // Lane 8 m + r holds the address of row r of matrix m; rows are in reverse order in memory.
    std::uint16_t* row = halves() + (31 - lane) * 8;
    for (int c = 0; c < 8; ++c) row[c] = static_cast<std::uint16_t>(lane * 8 + c);
    __syncwarp();
    std::uint32_t registers[4];
    load_matrices(registers, shared_address(row));
    for (int m = 0; m < 4; ++m) {
      const auto low = static_cast<std::uint32_t>((8 * m + lane / 4) * 8 + 2 * (lane % 4));
      CHECK(registers[m] == (low | (low + 1) << 16));
    }
  });
}

TEST(ldmatrix_counts_bank_conflicts) {
  CHECK(conflicts_of(16) == 0);
  CHECK(conflicts_of(128) == 4 * 7);  // all rows lie in the same banks
  CHECK(conflicts_of(32) == 4 * 1);
  CHECK(conflicts_of(0) == 0);  // one row
}

TEST(ldmatrix_of_an_unaligned_row_is_a_fault) {
  expect_fault("not aligned to 16", kWarp, [] {
    std::uint32_t registers[4];
    load_matrices(registers, shared_address(halves()) + 8);
  });
}

TEST(mma_reads_and_writes_the_documented_fragments) {
  for (const HalfType type : {HalfType::kBfloat16, HalfType::kFloat16}) {
    with_all_seeds(kWarp, [&] {
      const int g = static_cast<int>(threadIdx.x) / 4;
      const int t = static_cast<int>(threadIdx.x) % 4;
      const auto pair = [&](auto value, int index, int k) {
        return static_cast<std::uint32_t>(half_of(value(index, k), type)) |
               static_cast<std::uint32_t>(half_of(value(index, k + 1), type)) << 16;
      };
      const std::uint32_t a[4] = {pair(value_of_a, g, 2 * t), pair(value_of_a, g + 8, 2 * t),
                                  pair(value_of_a, g, 2 * t + 8),
                                  pair(value_of_a, g + 8, 2 * t + 8)};
      const std::uint32_t b[2] = {pair(value_of_b, g, 2 * t), pair(value_of_b, g, 2 * t + 8)};
      float d[4] = {10, 20, 30, 40};
      multiply_add(d, a, b, type);
      CHECK(d[0] == product_of(g, 2 * t, 0, 16) + 10);
      CHECK(d[1] == product_of(g, 2 * t + 1, 0, 16) + 20);
      CHECK(d[2] == product_of(g + 8, 2 * t, 0, 16) + 30);
      CHECK(d[3] == product_of(g + 8, 2 * t + 1, 0, 16) + 40);
    });
  }
}

TEST(cp_async_arrives_at_the_wait) {
  const Source from = source();
  with_seed(0, kWarp, [&] {
    if (threadIdx.x != 0) return;
    auto* to = rlvr::cuda::dynamic_shared();
    to[3] = 0;
    ThreadCopies& copies = self().copies;
    copies.copy(shared_address(to), from.bytes, 16);
    copies.commit();
    copies.copy(shared_address(to + 16), from.bytes, 6);
    copies.copy(shared_address(to + 32), from.bytes, 0);
    copies.commit();
    CHECK(to[3] == 0xff);
    copies.wait(1);
    CHECK(to[3] == 4);
    CHECK(to[16] == 0xff);
    copies.wait(0);
    for (int i = 0; i < 16; ++i) {
      CHECK(to[16 + i] == (i < 6 ? i + 1 : 0));
      CHECK(to[32 + i] == 0);
    }
  });
}

TEST(invalid_cp_async_is_a_fault) {
  const Source from = source();
  const auto copy = [&](int at, int bytes, int offset, bool commit) {
    return [=, &from] {
      if (threadIdx.x != 0) return;
      ThreadCopies& copies = self().copies;
      copies.copy(shared_address(rlvr::cuda::dynamic_shared() + at), from.bytes + offset, bytes);
      if (commit) copies.commit();
      copies.wait(0);
    };
  };
  expect_fault("not aligned to 16", kWarp, copy(8, 16, 0, true));
  expect_fault("wrong number of bytes", kWarp, copy(0, 17, 0, true));
  expect_fault("from an address that is not aligned", kWarp, copy(0, 16, 2, true));
  expect_fault("before a cp.async has been waited for", kWarp, copy(0, 16, 0, false));
}

TEST(ldmatrix_of_a_pending_copy_is_a_fault) {
  // The wait of the second warp does not cover the first warp without a barrier between them.
  const Source from = source();
  const auto kernel = [&](bool barrier) {
    auto* to = rlvr::cuda::dynamic_shared() + threadIdx.x % 32 * 16;
    if (threadIdx.x >= 32) {
      ThreadCopies& copies = self().copies;
      copies.copy(shared_address(to), from.bytes, 16);
      copies.commit();
      __syncwarp();
      copies.wait(0);
    }
    if (barrier) __syncthreads();
    std::uint32_t registers[4];
    if (threadIdx.x < 32) {
      load_matrices(registers, shared_address(to));
      if (barrier) CHECK((registers[0] & 0xff) == 1 + threadIdx.x % 4 * 4);
    }
  };
  with_all_seeds(kTwoWarps, [&] { kernel(true); });
  expect_fault_in_some_schedule("reads the destination of a pending copy", kTwoWarps,
                                [&] { kernel(false); });
}

}  // namespace machine::tests
