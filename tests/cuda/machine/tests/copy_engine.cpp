// Tests of the tensor copy engine.
#include <vector>

#include "machine/cuda.hpp"
#include "machine/hopper.hpp"
#include "machine/tests/check.hpp"

namespace machine::tests {

using namespace rlvr::cuda::hopper;

namespace {

constexpr int kBoxRows = 16;
constexpr int kBoxColumns = 64;
constexpr std::size_t kBoxBytes = kBoxRows * kBoxColumns * 2;
constexpr Shape kBlock = {.blocks = 1, .cluster = 1, .threads = 32, .shared_bytes = 8192};
constexpr Shape kPair = {.blocks = 2, .cluster = 2, .threads = 32, .shared_bytes = 8192};

// A matrix whose elements have distinct values; the row stride is 8 elements more than the number
// of columns.
struct Matrix {
  Matrix(int rows_, int columns_) : rows(rows_), columns(columns_), values((rows_ + 1) * stride()) {
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) at(r, c) = value(r, c);
    }
  }
  static std::uint16_t value(int row, int column) {
    return static_cast<std::uint16_t>(1 + row * 200 + column);
  }
  std::uint16_t expected(int row, int column) const {
    return row >= 0 && row < rows && column >= 0 && column < columns ? value(row, column) : 0;
  }
  std::size_t stride() const { return static_cast<std::size_t>(columns) + 8; }
  std::uint16_t& at(int r, int c) { return data()[r * stride() + static_cast<std::size_t>(c)]; }
  std::uint16_t* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(values.data());
    return values.data() + (16 - address % 16) % 16 / 2;
  }

  int rows;
  int columns;
  std::vector<std::uint16_t> values;
};

CUresult encode(CUtensorMap& map, Matrix& matrix, CUtensorMapSwizzle swizzle,
                cuuint32_t box_columns = kBoxColumns, std::size_t offset = 0,
                std::size_t more_stride = 0) {
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(matrix.columns),
                               static_cast<cuuint64_t>(matrix.rows)};
  const cuuint64_t strides[1] = {(matrix.stride() + more_stride) * 2};
  const cuuint32_t box[2] = {box_columns, kBoxRows};
  const cuuint32_t steps[2] = {1, 1};
  return cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, matrix.data() + offset,
                                sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
                                CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

CUtensorMap map_of(Matrix& matrix, CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B) {
  CUtensorMap map;
  CHECK(encode(map, matrix, swizzle) == CUDA_SUCCESS);
  return map;
}

// The layout of dynamic shared memory: a barrier, then two boxes from a multiple of 1024 bytes on.
struct Places {
  Places() {
    const auto address = reinterpret_cast<std::uintptr_t>(rlvr::cuda::dynamic_shared());
    boxes = reinterpret_cast<std::uint16_t*>((address + 16 + 1023) & ~std::uintptr_t{1023});
    barrier = reinterpret_cast<std::uint64_t*>(rlvr::cuda::dynamic_shared());
  }
  void begin() const {
    if (threadIdx.x == 0) {
      barrier_init(barrier, 1);
      barrier_init_fence();
    }
    __syncthreads();
    if (self().block->cluster.size() > 1) cluster_sync();
  }
  std::uint16_t* boxes;
  std::uint64_t* barrier;
};

// Computed without the code under test: chunk c of row r lies at chunk c ^ (r % 8).
std::uint16_t swizzled_element(const std::uint16_t* box, int row, int column) {
  return box[row * 64 + ((column / 8) ^ (row % 8)) * 8 + column % 8];
}

void check_box_at(int column, int row) {
  Matrix matrix(30, 104);
  const CUtensorMap map = map_of(matrix);
  with_all_seeds(kBlock, [&] {
    const Places places;
    places.begin();
    if (threadIdx.x == 0) {
      barrier_expect(places.barrier, kBoxBytes);
      copy_box(&map, places.barrier, places.boxes, column, row);
    }
    barrier_wait(places.barrier, 0);
    for (int r = 0; r < kBoxRows; ++r) {
      for (int c = 0; c < kBoxColumns; ++c) {
        CHECK(swizzled_element(places.boxes, r, c) == matrix.expected(row + r, column + c));
      }
    }
  });
}

}  // namespace

TEST(a_box_arrives_swizzled) { check_box_at(8, 3); }
TEST(elements_past_the_end_arrive_as_zeros) { check_box_at(64, 20); }
TEST(elements_before_the_beginning_arrive_as_zeros) { check_box_at(-8, -5); }
TEST(a_box_outside_the_matrix_arrives_as_zeros) { check_box_at(128, 300); }

TEST(a_box_without_swizzle_arrives_row_by_row) {
  Matrix matrix(30, 104);
  const CUtensorMap map = map_of(matrix, CU_TENSOR_MAP_SWIZZLE_NONE);
  with_seed(0, kBlock, [&] {
    const Places places;
    places.begin();
    if (threadIdx.x == 0) {
      barrier_expect(places.barrier, kBoxBytes);
      copy_box(&map, places.barrier, places.boxes, 16, 2);
    }
    barrier_wait(places.barrier, 0);
    for (int i = 0; i < kBoxRows * kBoxColumns; ++i) {
      CHECK(places.boxes[i] == matrix.expected(2 + i / 64, 16 + i % 64));
    }
  });
}

TEST(multicast_delivers_the_box_and_the_bytes_to_each_block) {
  Matrix matrix(40, 64);
  const CUtensorMap map = map_of(matrix);
  with_all_seeds(kPair, [&] {
    const Places places;
    places.begin();
    if (threadIdx.x == 0) {
      const int rank = static_cast<int>(cluster_rank());
      barrier_expect(places.barrier, 2 * kBoxBytes);
      copy_box_to(&map, places.barrier, places.boxes + rank * 1024, 0, rank * kBoxRows, 3);
    }
    barrier_wait(places.barrier, 0);
    for (int r = 0; r < 2 * kBoxRows; ++r) {
      CHECK(swizzled_element(places.boxes, r, 9) == matrix.expected(r, 9));
    }
    cluster_sync();
  });
}

TEST(the_destination_is_nan_until_the_box_arrives) {
  Matrix matrix(30, 104);
  const CUtensorMap map = map_of(matrix);
  with_seed(0, kBlock, [&] {
    const Places places;
    places.begin();
    if (threadIdx.x == 0) {
      places.boxes[0] = 7;
      barrier_expect(places.barrier, kBoxBytes);
      copy_box(&map, places.barrier, places.boxes, 0, 0);
      CHECK(places.boxes[0] == 0xffff);
    }
    barrier_wait(places.barrier, 0);
    CHECK(places.boxes[0] == matrix.expected(0, 0));
  });
}

TEST(a_read_without_wait_sees_nan_in_some_schedule) {
  Matrix matrix(30, 104);
  const CUtensorMap map = map_of(matrix);
  int missing = 0;
  with_all_seeds(kBlock, [&] {
    const Places places;
    places.begin();
    if (threadIdx.x == 0) {
      barrier_expect(places.barrier, kBoxBytes);
      copy_box(&map, places.barrier, places.boxes, 0, 0);
    }
    __syncthreads();
    missing += places.boxes[0] == 0xffff ? 1 : 0;
    barrier_wait(places.barrier, 0);
  });
  CHECK(missing > 0);
}

namespace {

void expect_copy_fault(const char* words,
                       const std::function<void(const Places&, const CUtensorMap&)>& act) {
  Matrix matrix(30, 104);
  const CUtensorMap map = map_of(matrix);
  expect_fault(words, kBlock, [&] {
    const Places places;
    places.begin();
    if (threadIdx.x == 0) act(places, map);
  });
}

}  // namespace

TEST(invalid_box_copies_are_a_fault) {
  const auto copy = [](const Places& places, const CUtensorMap& map, void* to) {
    copy_box(&map, places.barrier, to, 0, 0);
  };
  expect_copy_fault("overwrites the destination of a pending copy",
                    [&](const Places& places, const CUtensorMap& map) {
                      copy(places, map, places.boxes);
                      copy(places, map, places.boxes);
                    });
  expect_copy_fault("not aligned to 1024", [&](const Places& places, const CUtensorMap& map) {
    copy(places, map, places.boxes + 64);
  });
  expect_copy_fault("outside the block's shared memory",
                    [&](const Places& places, const CUtensorMap& map) {
                      copy(places, map, places.boxes + 4096);
                    });
  expect_copy_fault("did not make", [&](const Places& places, const CUtensorMap&) {
    copy(places, CUtensorMap{}, places.boxes);
  });
  expect_copy_fault("block 1 of a cluster of 1", [](const Places& places, const CUtensorMap& map) {
    copy_box_to(&map, places.barrier, places.boxes, 0, 0, 2);
  });
}

TEST(a_block_that_ends_before_its_copies_arrive_is_a_fault) {
  expect_copy_fault("before a copy to it has landed",
                    [](const Places& places, const CUtensorMap& map) {
                      copy_box(&map, places.barrier, places.boxes, 0, 0);
                    });
}

TEST(more_bytes_than_expected_are_a_fault) {
  Matrix matrix(30, 104);
  const CUtensorMap map = map_of(matrix);
  expect_fault("more bytes than it expects", kBlock, [&] {
    const Places places;
    places.begin();
    if (threadIdx.x == 0) {
      barrier_expect(places.barrier, kBoxBytes / 2 + 16);
      copy_box(&map, places.barrier, places.boxes, 0, 0);
    }
    barrier_wait(places.barrier, 0);
  });
}

TEST(tensor_maps_that_the_driver_rejects_are_rejected) {
  Matrix matrix(30, 104);
  CUtensorMap map;
  constexpr auto k128 = CU_TENSOR_MAP_SWIZZLE_128B;
  constexpr auto kNone = CU_TENSOR_MAP_SWIZZLE_NONE;
  CHECK(encode(map, matrix, kNone) == CUDA_SUCCESS);
  CHECK(encode(map, matrix, k128, 72) == CUDA_ERROR_INVALID_VALUE);        // beyond the swizzle
  CHECK(encode(map, matrix, kNone, 264) == CUDA_ERROR_INVALID_VALUE);      // too large a box
  CHECK(encode(map, matrix, kNone, 12) == CUDA_ERROR_INVALID_VALUE);       // not 16 bytes
  CHECK(encode(map, matrix, k128, 64, 4) == CUDA_ERROR_INVALID_VALUE);     // data not aligned
  CHECK(encode(map, matrix, k128, 64, 0, 4) == CUDA_ERROR_INVALID_VALUE);  // nor its rows
  Matrix empty(0, 104);
  CHECK(encode(map, empty, k128) == CUDA_ERROR_INVALID_VALUE);
}

}  // namespace machine::tests
