// Tests of the products of a warpgroup.
#include <vector>

#include "machine/cuda.hpp"
#include "machine/hopper.hpp"
#include "machine/tests/check.hpp"
#include "machine/tests/halves.hpp"

namespace machine::tests {

using namespace rlvr::cuda::hopper;

namespace {

constexpr std::size_t kShared = (64 + 256) * 128 + 2048;
constexpr Shape kGroup = {.blocks = 1, .cluster = 1, .threads = 128, .shared_bytes = kShared};
constexpr HalfType kTypes[] = {HalfType::kBfloat16, HalfType::kFloat16};

// 64 rows of A and then 256 rows of B, of 64 elements each, swizzled without the code under test.
struct Operands {
  explicit Operands(HalfType type = HalfType::kBfloat16) {
    const auto address = reinterpret_cast<std::uintptr_t>(rlvr::cuda::dynamic_shared());
    a = reinterpret_cast<std::uint16_t*>((address + 1023) & ~std::uintptr_t{1023});
    b = a + 64 * 64;
    if (threadIdx.x == 0) {
      for (int k = 0; k < 64; ++k) {
        for (int r = 0; r < 64; ++r) a[place(r, k)] = half_of(value_of_a(r, k), type);
        for (int n = 0; n < 256; ++n) b[place(n, k)] = half_of(value_of_b(n, k), type);
      }
    }
    __syncthreads();
  }
  static int place(int row, int k) { return row * 64 + ((k / 8) ^ (row % 8)) * 8 + k % 8; }

  std::uint16_t* a;
  std::uint16_t* b;
};

void multiply(float (&d)[128], const Operands& operands, int step, int accumulate,
              HalfType type = HalfType::kBfloat16) {
  const std::uint64_t a = tile_descriptor(operands.a) + 2 * static_cast<std::uint64_t>(step);
  const std::uint64_t b = tile_descriptor(operands.b) + 2 * static_cast<std::uint64_t>(step);
  type == HalfType::kBfloat16 ? multiply_bfloat16(d, a, b, accumulate)
                              : multiply_float16(d, a, b, accumulate);
}

// The row and column of register i of this thread in the PTX ISA's figure of fragment D.
int row_of(int i) {
  const int thread = static_cast<int>(threadIdx.x);
  return thread / 32 * 16 + thread % 32 / 4 + (i & 2) * 4;
}
int column_of(int i) { return i / 4 * 8 + static_cast<int>(threadIdx.x) % 4 * 2 + (i & 1); }

void check_product(const float (&d)[128], int first_k, int last_k, float more = 0) {
  for (int i = 0; i < 128; ++i) {
    CHECK(d[i] == product_of(row_of(i), column_of(i), first_k, last_k) + more);
  }
}

}  // namespace

TEST(float16_converts_to_float_as_in_ieee_754) {
  CHECK(to_float(0x3c00, HalfType::kFloat16) == 1.0f);
  CHECK(to_float(0xc500, HalfType::kFloat16) == -5.0f);
  CHECK(to_float(0x7bff, HalfType::kFloat16) == 65504.0f);
  CHECK(to_float(0x0001, HalfType::kFloat16) == std::ldexp(1.0f, -24));
  CHECK(std::isinf(to_float(0xfc00, HalfType::kFloat16)));
  CHECK(std::isnan(to_float(0x7c01, HalfType::kFloat16)));
  CHECK(to_float(0xc0a0, HalfType::kBfloat16) == -5.0f);
}

TEST(one_product_sums_sixteen_elements_of_k) {
  for (const HalfType type : kTypes) {
    with_all_seeds(kGroup, [&] {
      const Operands operands(type);
      float d[128];
      product_fence();
      multiply(d, operands, 0, 0, type);
      product_commit();
      product_wait<0>();
      check_product(d, 0, 16);
    });
  }
}

TEST(a_descriptor_32_bytes_further_selects_the_next_16_elements_of_k) {
  with_seed(2, kGroup, [] {
    const Operands operands;
    float d[128];
    for (int step = 0; step < 4; ++step) {
      product_fence();
      multiply(d, operands, step, 0);
      product_commit();
      product_wait<0>();
      check_product(d, 16 * step, 16 * step + 16);
    }
  });
}

TEST(products_accumulate) {
  with_all_seeds(kGroup, [] {
    const Operands operands;
    float d[128];
    for (float& value : d) value = 1000.0f;
    product_fence();
    for (int step = 0; step < 2; ++step) multiply(d, operands, step, 1);
    product_commit();
    for (int step = 2; step < 4; ++step) multiply(d, operands, step, 1);
    product_commit();
    product_wait<0>();
    check_product(d, 0, 64, 1000.0f);
  });
}

TEST(accumulators_are_nan_until_the_wait) {
  with_all_seeds(kGroup, [] {
    const Operands operands;
    float first[128];
    float second[128];
    product_fence();
    multiply(first, operands, 0, 0);
    product_commit();
    multiply(second, operands, 1, 0);
    product_commit();
    CHECK(std::isnan(first[5]));
    product_wait<1>();
    check_product(first, 0, 16);
    CHECK(std::isnan(second[5]));
    product_wait<0>();
    check_product(second, 16, 32);
  });
}

TEST(operands_are_read_at_the_wait) {
  // The machine does not track plain writes, so the write changes the product.
  with_seed(0, kGroup, [] {
    const Operands operands;
    float d[128];
    product_fence();
    multiply(d, operands, 0, 0);
    product_commit();
    __syncthreads();
    if (threadIdx.x == 0) operands.a[Operands::place(0, 3)] = half_of(100, HalfType::kBfloat16);
    __syncthreads();
    product_wait<0>();
    if (threadIdx.x == 0) {
      CHECK(d[0] == product_of(0, 0, 0, 16) + (100 - value_of_a(0, 3)) * value_of_b(0, 3));
    }
  });
}

TEST(a_write_to_accumulators_before_the_wait_is_a_fault) {
  expect_fault("that has not been waited for were written", kGroup, [] {
    const Operands operands;
    float d[128];
    product_fence();
    multiply(d, operands, 0, 0);
    product_commit();
    if (threadIdx.x == 77) d[3] = 0.0f;
    product_wait<0>();
  });
}

TEST(a_missing_wgmma_fence_is_a_fault) {
  const auto kernel = [](bool again) {
    const Operands operands;
    float d[128];
    if (again) product_fence();
    multiply(d, operands, 0, 0);
    product_commit();
    product_wait<0>();
    multiply(d, operands, 0, 1);
  };
  expect_fault("without a wgmma.fence", kGroup, [&] { kernel(false); });
  expect_fault("without a wgmma.fence", kGroup, [&] { kernel(true); });
}

TEST(threads_that_issue_different_products_are_a_fault) {
  expect_fault("differs from what other threads", kGroup, [] {
    const Operands operands;
    float d[128];
    product_fence();
    multiply(d, operands, threadIdx.x == 100 ? 1 : 0, 0);
  });
}

TEST(a_warp_that_issues_no_product_makes_the_others_hang) {
  expect_fault("which 96 of 128 threads have issued", kGroup, [] {
    const Operands operands;
    float d[128];
    if (threadIdx.x >= 96) return;
    product_fence();
    multiply(d, operands, 0, 0);
    product_commit();
    product_wait<0>();
  });
}

TEST(a_product_without_a_wait_is_a_fault) {
  expect_fault("before a product has been waited for", kGroup, [] {
    const Operands operands;
    float d[128];
    product_fence();
    multiply(d, operands, 0, 0);
    product_commit();
    product_wait<1>();
  });
}

TEST(unsupported_descriptors_are_a_fault) {
  const auto with_bits = [](std::uint64_t flipped) {
    return [flipped] {
      const Operands operands;
      float d[128];
      product_fence();
      multiply_bfloat16(d, tile_descriptor(operands.a) ^ flipped, tile_descriptor(operands.b), 0);
    };
  };
  expect_fault("not in the 128-byte swizzle", kGroup, with_bits(std::uint64_t{3} << 62));
  expect_fault("do not begin at a multiple of 1024", kGroup, with_bits(128 >> 4));
  expect_fault("do not begin at a multiple of 1024", kGroup, with_bits(std::uint64_t{1} << 49));
  expect_fault("across the swizzle", kGroup, with_bits(std::uint64_t{1} << 32));
  expect_fault("outside the block's shared memory", kGroup, with_bits(0x20000 >> 4));
}

namespace {

// Multiplies, and copies over the operand A before or after the wait.
void overwrite(bool after_the_wait) {
  std::vector<std::uint16_t> source(64 * 64 + 8);
  auto* data = source.data() + (16 - reinterpret_cast<std::uintptr_t>(source.data()) % 16) % 16 / 2;
  const cuuint64_t sizes[2] = {64, 64};
  const cuuint64_t strides[1] = {128};
  const cuuint32_t box[2] = {64, 64};
  const cuuint32_t steps[2] = {1, 1};
  CUtensorMap map;
  CHECK(cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, data, sizes, strides, box,
                               steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                               CU_TENSOR_MAP_L2_PROMOTION_NONE,
                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS);
  run(kGroup, [&] {
    const Operands operands;
    auto* barrier = reinterpret_cast<std::uint64_t*>(operands.b + 256 * 64);
    if (threadIdx.x == 0) {
      barrier_init(barrier, 1);
      barrier_init_fence();
    }
    __syncthreads();
    float d[128];
    product_fence();
    multiply(d, operands, 0, 0);
    product_commit();
    if (after_the_wait) product_wait<0>();
    __syncthreads();
    if (threadIdx.x == 0) {
      barrier_expect(barrier, 64 * 128);
      copy_box(&map, barrier, operands.a, 0, 0);
    }
    product_wait<0>();
    check_product(d, 0, 16);
    barrier_wait(barrier, 0);
  });
}

}  // namespace

TEST(a_copy_over_operands_of_a_pending_product_is_a_fault) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    configuration().seed = seed;
    overwrite(true);
    try {
      overwrite(false);
    } catch (const Fault& caught) {
      CHECK(std::string(caught.what()).find("that has not been waited for") != std::string::npos);
      continue;
    }
    fail("no fault");
  }
}

}  // namespace machine::tests
