// Products of a warpgroup (wgmma). PTX ISA, "Asynchronous Warpgroup Level Matrix
// Multiply-Accumulate Instructions": matrix descriptors, 128-byte swizzle of K-major operands in
// shared memory, register fragment D of .m64nNk16, fence, commit_group and wait_group.
//
// On the hardware a product reads shared memory at any time between its issue and the wait for its
// group. The machine computes the product at that wait, and reports a write to its operands before
// the wait. While products of an accumulator are pending, the registers hold nan: a kernel that
// reads them computes nan, and a kernel that writes them is at fault. Each warp computes 16 of the
// 64 rows and waits separately.
//
// The machine is stricter than the hardware in three points. Operands are reserved in whole groups
// of 8 rows x 128 bytes. A fence is required after each wait that completes the accumulators'
// products, even if no thread has touched the registers. A wait hangs where another warp of the
// warpgroup has not issued the same products. The machine differs from the hardware in rounding:
// sums are float32, in the order of k, where a tensor core keeps fewer bits between steps.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <vector>

#include "machine/half.hpp"
#include "machine/shared_memory.hpp"
#include "machine/wait.hpp"

namespace machine {

// A matrix descriptor of a K-major operand in the 128-byte swizzle.
struct MatrixDescriptor {
  static MatrixDescriptor decode(std::uint64_t bits);

  // The address in shared memory of element k of a row.
  Address element(int row, int k) const;
  // The address of the 1024 bytes that hold rows 8 * index to 8 * index + 7.
  Address group(int index) const;

  Address start;
  Address stride;  // from eight rows to the next eight, in bytes
};

inline constexpr int kProductRows = 64;
inline constexpr int kProductColumns =
    256;  // the most columns; a thread has n / 2 accumulators for n columns
inline constexpr int kProductDepth = 16;

class Warpgroup {
 public:
  static constexpr int kWarps = 4;
  static constexpr int kLanes = 32;

  explicit Warpgroup(Block& block) : block_(&block) {}

  void fence(Thread& thread);
  // Issues a product of 64 rows and `columns` columns.
  void multiply(Thread& thread, float* registers, int columns, std::uint64_t a, std::uint64_t b,
                bool accumulate, HalfType type);
  void commit(Thread& thread);
  void wait(Thread& thread, int pending);
  void check_idle() const;

 private:
  struct IssueWait;

  // The accumulators of a warp while their products are pending.
  struct Accumulators {
    std::array<float*, kLanes> registers = {};
    std::array<int, kLanes> fences =
        {};  // the fences of each lane when its registers were last written back
    std::vector<float> tile = std::vector<float>(16 * kProductColumns);
    std::array<bool, kLanes> taken = {};  // whether the lane's registers have been read
    int columns = 0;
    int under_way = 0;
  };

  struct Product {
    int width;  // columns
    std::uint64_t a;
    std::uint64_t b;
    bool accumulate;
    HalfType type;
    int issues = 0;  // of 128 threads
    int retired = 0;
    std::array<Accumulators*, kWarps> accumulators = {};
    std::vector<float> columns;  // B^T, rows 256 apart; empty until read
  };

  struct WarpState {
    std::array<int, kLanes> products = {};  // issued
    std::array<int, kLanes> fences = {};
    std::array<int, kLanes> groups = {};  // committed
    std::vector<int> group_ends;          // in products
    int retired = 0;                      // products
    int wanted = 0;                       // the end of the products that the current wait is for
    std::list<Accumulators> accumulators;
  };

  Product& product(int number) { return products_[static_cast<std::size_t>(number - dropped_)]; }
  Accumulators& accumulators_of(Product& product, int warp, int lane, float* registers);
  void take(Accumulators& accumulators, int lane, const WarpState& state, bool accumulate);
  void give_back(Accumulators& accumulators, const WarpState& state);
  void retire(int warp, int end);
  void carry_out(Product& product, int warp);
  void read_columns(Product& product);

  Block* block_;
  std::array<WarpState, kWarps> warps_;
  std::deque<Product> products_;  // products that some warp has not waited for
  int dropped_ = 0;               // the number of products that all warps have waited for
  WaitQueue waiting_;
};

}  // namespace machine
