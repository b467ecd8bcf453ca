#include "machine/warpgroup_products.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "machine/machine.hpp"

namespace machine {

namespace {

constexpr std::uint32_t kPoison = 0x7fbadbadu;  // a nan that no kernel computes

float poison() {
  float value;
  std::memcpy(&value, &kPoison, sizeof value);
  return value;
}

bool is_poison(const float& value) { return std::memcmp(&value, &kPoison, sizeof value) == 0; }

// PTX ISA, "Register Fragments for wgmma.mma_async.m64nNk16", matrix D: the index in the warp's 16
// rows of the element in a thread's register i.
std::size_t place_of(int lane, int i) {
  const int row = lane / 4 + (i % 4 < 2 ? 0 : 8);
  const int column = 8 * (i / 4) + 2 * (lane % 4) + i % 2;
  return static_cast<std::size_t>(row * kProductColumns + column);
}

int warp_of(const Thread& thread) { return thread.index / Warpgroup::kLanes % Warpgroup::kWarps; }

// A product reads groups of 8 rows of its operands: two groups of A for each warp, all groups of B.
constexpr int kGroupsOfA = 2;
constexpr std::size_t kGroupBytes = 1024;

template <typename Visit>
void for_each_group(std::uint64_t a, std::uint64_t b, int width, int warp, Visit visit) {
  const MatrixDescriptor rows = MatrixDescriptor::decode(a);
  const MatrixDescriptor columns = MatrixDescriptor::decode(b);
  for (int g = 0; g < kGroupsOfA; ++g) visit(rows.group(warp * kGroupsOfA + g));
  for (int g = 0; g < width / 8; ++g) visit(columns.group(g));
}

}  // namespace

// Bits 0-13 start, 16-29 leading byte offset (not used here), 32-45 stride byte offset, each in
// units of 16 bytes; 49-51 base offset; 62-63 swizzle, where 1 is the swizzle of 128 bytes.
MatrixDescriptor MatrixDescriptor::decode(std::uint64_t bits) {
  const auto field = [bits](int first) {
    return static_cast<Address>(bits >> first & 0x3fff) * 16;
  };
  const MatrixDescriptor decoded = {field(0), field(32)};
  if (bits >> 62 != 1) fault("wgmma of an operand that is not in the 128-byte swizzle");
  if ((bits >> 49 & 7) != 0 || (decoded.start >> 7 & 7) != 0) {
    fault("wgmma of an operand whose rows do not begin at a multiple of 1024 bytes");
  }
  if (decoded.stride % kGroupBytes != 0) fault("wgmma of rows that lie across the swizzle");
  return decoded;
}

Address MatrixDescriptor::group(int index) const {
  return (start & ~Address{kGroupBytes - 1}) + static_cast<Address>(index) * stride;
}

// The swizzle applies to addresses: bits 4 to 6 xor bits 7 to 9. So a start address 32 bytes
// further, inside the first row of 128 bytes, selects the next 16 elements of k.
Address MatrixDescriptor::element(int row, int k) const {
  const Address plain = start + static_cast<Address>(row / 8) * stride +
                        static_cast<Address>(row % 8) * 128 + static_cast<Address>(k) * 2;
  return plain ^ (plain >> 3 & 0x70);
}

struct Warpgroup::IssueWait final : Wait {
  IssueWait(Warpgroup& of, int of_products) : group(of), wanted(of_products) {}
  bool over() const override {
    return wanted <= group.dropped_ ||
           group.product(wanted - 1).issues == kWarps * kLanes;  // in order
  }
  WaitQueue& queue() override { return group.waiting_; }
  std::string describe() const override {
    return "wgmma.wait_group for product " + std::to_string(wanted - 1) + ", which " +
           std::to_string(group.product(wanted - 1).issues) + " of 128 threads have issued";
  }
  Warpgroup& group;
  int wanted;
};

void Warpgroup::fence(Thread& thread) { ++warps_[warp_of(thread)].fences[thread.lane]; }

Warpgroup::Accumulators& Warpgroup::accumulators_of(Product& product, int warp, int lane,
                                                    float* registers) {
  WarpState& state = warps_[warp];
  Accumulators*& used = product.accumulators[warp];
  if (used == nullptr) {
    const auto known =
        std::find_if(state.accumulators.begin(), state.accumulators.end(),
                     [&](const Accumulators& a) { return a.registers[lane] == registers; });
    used = known != state.accumulators.end() ? &*known : &state.accumulators.emplace_back();
    ++used->under_way;
  }
  if (used->registers[lane] == nullptr) used->registers[lane] = registers;
  if (used->registers[lane] != registers) {
    fault("wgmma of other accumulators than other lanes of the warp name");
  }
  return *used;
}

void Warpgroup::take(Accumulators& accumulators, int lane, const WarpState& state,
                     bool accumulate) {
  float* registers = accumulators.registers[lane];
  if (state.fences[lane] <= accumulators.fences[lane]) {
    fault("wgmma.mma_async without a wgmma.fence after its accumulators were free to use");
  }
  for (int i = 0; i < accumulators.columns / 2; ++i) {
    if (accumulate) accumulators.tile[place_of(lane, i)] = registers[i];
    registers[i] = poison();
  }
  accumulators.taken[lane] = true;
}

void Warpgroup::multiply(Thread& thread, float* registers, int columns, std::uint64_t a,
                         std::uint64_t b, bool accumulate, HalfType type) {
  const int warp = warp_of(thread);
  const int lane = thread.lane;
  WarpState& state = warps_[warp];
  const int number = state.products[lane]++;
  if (number == dropped_ + static_cast<int>(products_.size())) {
    products_.push_back(
        {.width = columns, .a = a, .b = b, .accumulate = accumulate, .type = type, .columns = {}});
  }
  Product& issued = product(number);
  if (issued.width != columns || issued.a != a || issued.b != b ||
      issued.accumulate != accumulate || issued.type != type) {
    fault("wgmma.mma_async that differs from what other threads of the warpgroup issued");
  }
  const bool first_of_warp = issued.accumulators[warp] == nullptr;
  Accumulators& used = accumulators_of(issued, warp, lane, registers);
  if (used.columns == 0) used.columns = columns;
  if (used.columns != columns) fault("wgmma of accumulators that hold another number of columns");
  if (!used.taken[lane]) take(used, lane, state, accumulate);
  if (first_of_warp) {
    for_each_group(a, b, columns, warp, [&](Address group) {
      block_->shared.begin_read(group, kGroupBytes, "wgmma.mma_async");
    });
  }
  if (++issued.issues == kWarps * kLanes) waiting_.wake_all();
}

void Warpgroup::commit(Thread& thread) {
  WarpState& state = warps_[warp_of(thread)];
  const int lane = thread.lane;
  const auto group = static_cast<std::size_t>(state.groups[lane]++);
  if (group == state.group_ends.size()) state.group_ends.push_back(state.products[lane]);
  if (state.group_ends[group] != state.products[lane]) {
    fault("wgmma.commit_group of other products than other lanes of the warp commit");
  }
}

void Warpgroup::wait(Thread& thread, int pending) {
  const int warp = warp_of(thread);
  WarpState& state = warps_[warp];
  thread.warp->lanes.meet("wgmma.wait_group", thread.lane, nullptr, [&](const auto&) {
    if (std::any_of(state.groups.begin(), state.groups.end(),
                    [&](int groups) { return groups != state.groups[0]; })) {
      fault("wgmma.wait_group where the lanes of the warp have committed different groups");
    }
    const int complete = state.groups[0] - pending;
    state.wanted = complete > 0 ? state.group_ends[static_cast<std::size_t>(complete - 1)] : 0;
  });
  const int wanted = state.wanted;
  if (wanted <= state.retired) return;
  IssueWait issue(*this, wanted);
  block_->cluster.wait(thread, issue);
  retire(warp, wanted);
}

void Warpgroup::retire(int warp, int end) {
  WarpState& state = warps_[warp];
  for (; state.retired < end; ++state.retired) {
    Product& done = product(state.retired);
    carry_out(done, warp);
    for_each_group(done.a, done.b, done.width, warp,
                   [&](Address group) { block_->shared.end_read(group, kGroupBytes); });
    Accumulators& used = *done.accumulators[warp];
    if (--used.under_way == 0) give_back(used, state);
    ++done.retired;
  }
  while (!products_.empty() && products_.front().retired == kWarps) {
    products_.pop_front();
    ++dropped_;
  }
}

void Warpgroup::give_back(Accumulators& accumulators, const WarpState& state) {
  for (int lane = 0; lane < kLanes; ++lane) {
    float* registers = accumulators.registers[lane];
    for (int i = 0; i < accumulators.columns / 2; ++i) {
      if (!is_poison(registers[i])) {
        fault("accumulators of a product that has not been waited for were written");
      }
      registers[i] = accumulators.tile[place_of(lane, i)];
    }
    accumulators.fences[lane] = state.fences[lane];
  }
  accumulators.taken.fill(false);
}

void Warpgroup::read_columns(Product& product) {
  product.columns.resize(kProductDepth * kProductColumns);
  const MatrixDescriptor b = MatrixDescriptor::decode(product.b);
  for (int n = 0; n < product.width; ++n) {
    for (int half = 0; half < 2; ++half) {  // the swizzle keeps 16 bytes together
      std::uint16_t bits[8];
      std::memcpy(bits, block_->shared.at(b.element(n, half * 8), 16, "wgmma.mma_async"), 16);
      for (int k = 0; k < 8; ++k) {
        product.columns[static_cast<std::size_t>((half * 8 + k) * kProductColumns + n)] =
            to_float(bits[k], product.type);
      }
    }
  }
}

void Warpgroup::carry_out(Product& product, int warp) {
  if (product.columns.empty()) read_columns(product);
  const MatrixDescriptor a = MatrixDescriptor::decode(product.a);
  std::vector<float>& tile = product.accumulators[warp]->tile;
  if (!product.accumulate) std::fill(tile.begin(), tile.end(), 0.0f);
  for (int row = 0; row < 16; ++row) {
    float* sums = tile.data() + row * kProductColumns;
    for (int k = 0; k < kProductDepth; ++k) {
      std::uint16_t bits;
      std::memcpy(&bits, block_->shared.at(a.element(warp * 16 + row, k), 2, "wgmma.mma_async"), 2);
      const float factor = to_float(bits, product.type);
      const float* column = product.columns.data() + k * kProductColumns;
      for (int n = 0; n < product.width; ++n) sums[n] += factor * column[n];
    }
  }
}

void Warpgroup::check_idle() const {
  for (const WarpState& state : warps_) {
    for (const int issued : state.products) {
      if (issued != state.retired) fault("the block ends before a product has been waited for");
    }
  }
}

}  // namespace machine
