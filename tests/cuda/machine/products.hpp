// Warpgroup products, wgmma. PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate
// Instructions": matrix descriptors, 128-byte swizzle of K-major operands in shared memory,
// register fragment D of .m64nNk16, fence, commit_group and wait_group.
//
// A product reads shared memory at any time between its issue and the wait for its group: it is
// carried out at that wait, and until then nobody may write what it reads. While products of its
// accumulators are under way a thread's registers hold nan, so that who looks at them sees it, and
// who writes them is at fault. Each warp owns 16 of the 64 rows and waits for its own.
//
// Stricter than the hardware: what a product reads is taken in whole groups of 8 rows x 128 bytes;
// a fence is wanted whenever accumulators were handed back, even if no one touched them; a wait
// hangs where a warp of the warpgroup has not issued what the others have. Unlike it: sums are in
// float32 and in order of k, where a tensor core keeps fewer bits between steps.
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

  // The place in shared memory of element k of a row.
  Address element(int row, int k) const;
  // Of the 1024 bytes that hold rows 8 * group to 8 * group + 7.
  Address group(int index) const;

  Address start;
  Address stride;  // from eight rows to the next eight, in bytes
};

inline constexpr int kProductRows = 64;
inline constexpr int kProductColumns = 256;  // at most; of n, a thread has n / 2 accumulators
inline constexpr int kProductDepth = 16;

class Warpgroup {
 public:
  static constexpr int kWarps = 4;
  static constexpr int kLanes = 32;

  explicit Warpgroup(Block& block) : block_(&block) {}

  void fence(Thread& thread);
  // Of 64 rows and `columns` columns.
  void multiply(Thread& thread, float* registers, int columns, std::uint64_t a, std::uint64_t b,
                bool accumulate, HalfType type);
  void commit(Thread& thread);
  void wait(Thread& thread, int pending);
  void check_idle() const;

 private:
  struct IssueWait;

  // The accumulators of a warp while products of theirs are under way.
  struct Accumulators {
    std::array<float*, kLanes> registers = {};
    std::array<int, kLanes> fences = {};  // of the lane, when it got them back
    std::vector<float> tile = std::vector<float>(16 * kProductColumns);
    std::array<bool, kLanes> taken = {};  // from the lane
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
    std::vector<float> columns;  // B^T, rows 256 apart, once it has been read
  };

  struct WarpState {
    std::array<int, kLanes> products = {};  // issued
    std::array<int, kLanes> fences = {};
    std::array<int, kLanes> groups = {};  // committed
    std::vector<int> group_ends;          // in products
    int retired = 0;                      // products
    int wanted = 0;                       // products that the present wait is for
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
  std::deque<Product> products_;  // that some warp has not waited for
  int dropped_ = 0;               // that all have
  WaitQueue waiting_;
};

}  // namespace machine
