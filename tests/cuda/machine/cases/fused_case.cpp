// fused_case KERNEL ROWS COLUMNS DEPTH SEED: runs the fused product and fold of one random problem
// on the machine and compares the results with their definition. Inputs are small integers, so that
// every logit is exact. Prints the error and exits with status 1 where the machine reports a fault
// or a result is wrong.
#include <cmath>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "machine/machine.hpp"
#include "machine/warp_products.hpp"
#include "scoring/cuda/device/segment_fold.cuh"
#include "scoring/cuda/launch.hpp"

namespace {

using namespace rlvr::cuda;

constexpr float kTemperature = 8.0f;

// An integer in [-6, 6] that depends on its position.
int value_of(std::int64_t row, std::int64_t k, std::uint64_t salt) {
  std::uint64_t z = static_cast<std::uint64_t>(row) * 0x9e3779b97f4a7c15u +
                    static_cast<std::uint64_t>(k) * 0xbf58476d1ce4e5b9u + salt;
  z = (z ^ (z >> 31)) * 0x94d049bb133111ebu;
  return static_cast<int>((z >> 40) % 13) - 6;
}

struct Matrix {
  Matrix(std::int64_t rows_, std::int64_t columns_, std::uint64_t salt_)
      : rows(rows_), columns(columns_), salt(salt_), storage(new Row[rows_ * columns_ / 8]) {
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      const auto value = static_cast<float>(at(i / columns, i % columns));
      storage[i / 8].elements[i % 8] = static_cast<std::uint16_t>(rlvr::bits_of(value) >> 16);
    }
  }
  int at(std::int64_t row, std::int64_t k) const { return value_of(row, k, salt); }
  HalfMatrix view() const { return {storage.get(), LogitType::kBfloat16, rows, columns, columns}; }

  struct alignas(16) Row {
    std::uint16_t elements[8];
  };
  std::int64_t rows;
  std::int64_t columns;
  std::uint64_t salt;
  std::unique_ptr<Row[]> storage;
};

void require(bool condition, const std::string& what, std::int64_t row) {
  if (!condition) throw std::runtime_error("wrong " + what + " of row " + std::to_string(row));
}

bool close(double got, double want) { return std::abs(got - want) <= 1e-4 * (1 + std::abs(want)); }

// Compares the states of one row with sums over all logits of the row.
void check_row(const PartialState* states, std::int64_t segments, const std::vector<int>& logits,
               int target, std::int64_t row) {
  rlvr::SoftmaxState<double> state;
  for (std::int64_t s = 0; s < segments; ++s) state = merge(state, state_of(states[s]));
  const double units = rlvr::kLog2E / kTemperature;
  double sum = 0, weighted = 0, above = 0;
  std::int32_t count = 0;
  for (const int z : logits) {
    const double exponent = units * z - state.shift;
    const double p = std::exp2(exponent);
    sum += p;
    weighted += exponent * p;
    above += z > target ? p : 0.0;
    count += z > target ? 1 : 0;
  }
  require(close(state.sum, sum), "sum", row);
  require(close(state.weighted, weighted), "entropy", row);
  require(close(state.above, above), "mass above", row);
  require(state.count_above == count, "rank", row);
}

void run_case(std::int64_t rows, std::int64_t columns, std::int64_t depth, FusedKernel kernel) {
  const Matrix hidden(rows, depth, 1);
  const Matrix weight(columns, depth, 2);
  // The target of row r is token r % columns.
  Matrix gathered(rows, depth, 2);
  for (std::int64_t i = 0; i < rows * depth / 8; ++i) {
    gathered.storage[i] = weight.storage[i % (columns * depth / 8)];
  }
  std::vector<std::int64_t> targets(rows);
  for (std::int64_t r = 0; r < rows; ++r) targets[r] = r % columns;

  const Device device = {0, nullptr};
  std::vector<float> target_logits(rows, NAN);
  fused_target_logits(hidden.view(), gathered.view(), target_logits.data(), kernel, device);
  const std::int64_t segments = (columns + kFusedColumns - 1) / kFusedColumns;
  std::vector<PartialState> states(rows * segments);
  const RowOptions options = {nullptr, kTemperature, nullptr, 1.0f, 0.0f};
  fused_fold(hidden.view(), weight.view(), targets.data(), target_logits.data(), options,
             states.data(), kernel, false, device);

  for (std::int64_t r = 0; r < rows; ++r) {
    std::vector<int> logits(columns);
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t k = 0; k < depth; ++k) logits[c] += hidden.at(r, k) * weight.at(c, k);
    }
    const int target = logits[targets[r]];
    require(target_logits[r] == static_cast<float>(target), "target's logit", r);
    check_row(&states[r * segments], segments, logits, target, r);
  }
  if (machine::bank_conflicts() > 0) {
    throw std::runtime_error(std::to_string(machine::bank_conflicts()) + " bank conflicts");
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::map<std::string, FusedKernel> kernels = {{"mma", FusedKernel::kMma},
                                                      {"wgmma", FusedKernel::kWgmma},
                                                      {"wgmma_pairs", FusedKernel::kWgmmaPairs}};
  if (count != 6 || kernels.count(arguments[1]) == 0) return 2;
  const auto argument = [&](int i) { return std::stoll(arguments[i]); };
  machine::configuration() = {.seed = static_cast<std::uint64_t>(argument(5)), .processors = 2};
  try {
    run_case(argument(2), argument(3), argument(4), kernels.at(arguments[1]));
  } catch (const std::exception& error) {
    std::cout << error.what() << "\n";
    return 1;
  }
  return 0;
}
