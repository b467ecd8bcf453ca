// The CUDA kernels as the rest of the core sees them: raw pointers, strides and a stream, no CUDA
// type. no_cuda.cpp gives the same symbols where CUDA was not built, and throws.
//
// Pointers are device pointers unless said otherwise; `stream` is a cudaStream_t. Every function
// enqueues and returns: nothing synchronises, nothing allocates. Each throws rlvr::CudaFailure
// where a launch fails, or where there is no driver or device.
//
// A row is cut into segments, a function of the number of columns alone; each leaves a partial
// state in the workspace, and finish_* merges them in order. So a row's bits do not depend on its
// batch.
#pragma once

#include <cstdint>
#include <string>

#include "math/result_arrays.hpp"

namespace rlvr::cuda {

enum class LogitType { kFloat32, kBfloat16, kFloat16 };

// Rows of logits: row r begins at (r / inner_rows) * outer_stride + (r % inner_rows) * row_stride
// elements from data; columns are adjacent.
struct LogitRows {
  const void* data;
  LogitType type;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t inner_rows;
  std::int64_t outer_stride;
  std::int64_t row_stride;
};

// What is done to a stored value before it is a logit of the distribution.
struct RowOptions {
  const float* temperatures;  // one a row, or null
  float temperature;          // used where temperatures is null
  const float* bias;          // of the vocabulary, or null
  float scale;
  float softcap;  // 0: none
};

struct NucleusOutputs {
  float* logprob;    // under the truncated, renormalised distribution; -inf outside
  float* kept_mass;  // of the whole distribution
};

struct Device {
  int index;
  void* stream;
};

bool built();        // were the kernels compiled?
int device_count();  // throws CudaFailure without a driver
std::string device_name(int device);

// Largest workspace that token statistics use, whatever the number of rows.
inline constexpr std::int64_t kWorkspaceLimit = 64 << 20;

std::int64_t logits_workspace_bytes(std::int64_t rows, std::int64_t columns, LogitType type);
// targets: int64, one a row; outside [0, columns) is ignored: nan and rank -1.
// top_p in (0, 1] with nucleus != nullptr adds the nucleus; columns <= kNucleusColumns then.
void logits_stats(const LogitRows& logits, const std::int64_t* targets, const RowOptions& options,
                  void* workspace, std::int64_t workspace_bytes, const TokenOutputs& out,
                  float top_p, const NucleusOutputs* nucleus, const Device& device);
inline constexpr std::int64_t kNucleusColumns = 1 << 19;

// Tiles of a product: float32 logits [rows, tile columns] of a vocabulary, folded as they come.
inline constexpr std::int64_t kTileColumns = 4096;
// state_columns: of the vocabulary, that one partial state of a row covers; kTileColumns here,
// kFusedColumns where the fused path made them.
std::int64_t tile_states_bytes(std::int64_t rows, std::int64_t columns, std::int64_t state_columns);
// target_logits[r] = tile[r, targets[r]] is the stored value that the sweep will see.
// Puts it where the tile holds the target's column, so that a tie with itself is exact.
void place_targets(float* tile, std::int64_t row_stride, std::int64_t rows,
                   std::int64_t first_column, std::int64_t columns, const std::int64_t* targets,
                   const float* target_logits, const Device& device);
// tile: columns [first_column, first_column + columns) of the vocabulary; first_column is a
// multiple of kTileColumns.
void fold_tile(const LogitRows& tile, std::int64_t first_column, std::int64_t vocabulary,
               const std::int64_t* targets, const float* target_logits, const RowOptions& options,
               void* states, const Device& device);
void finish_tiles(const void* states, std::int64_t rows, std::int64_t vocabulary,
                  const std::int64_t* targets, const float* target_logits,
                  const RowOptions& options, const TokenOutputs& out, std::int64_t state_columns,
                  const Device& device);

// The fused path (linear_fused.cu): the product and its fold in one kernel. States are for
// finish_tiles, one for kFusedColumns: small, so that the blocks of a GPU end together and few rows
// keep all of it busy, but large beside what a unit of work costs. Rows and columns are at most
// 2^30.
inline constexpr std::int64_t kFusedColumns = 512;
struct HalfMatrix {
  const void* data;  // divisible by 16, as row_stride * 2 must be
  LogitType type;    // bfloat16 or float16
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t row_stride;
};

// By products of warps (mma.sync), on any GPU from compute capability 8.0 on; or of warpgroups
// (wgmma), on 9.0, alone or in pairs of blocks that share the weight's tiles. The bits of a pair
// are those of one alone.
enum class FusedKernel { kMma, kWgmma, kWgmmaPairs };

bool fused_supported(int device, FusedKernel kernel);
// out[r] = hidden[r] . gathered[r], in the bits of the same kernel's sweep. gathered: a row of the
// weight for each row of hidden.
void fused_target_logits(const HalfMatrix& hidden, const HalfMatrix& gathered, float* out,
                         FusedKernel kernel, const Device& device);
// logprob_only: of the states, what the log-prob needs; the options plain but for the temperature.
void fused_fold(const HalfMatrix& hidden, const HalfMatrix& weight, const std::int64_t* targets,
                const float* target_logits, const RowOptions& options, void* states,
                FusedKernel kernel, bool logprob_only, const Device& device);

std::int64_t pair_states_bytes(std::int64_t rows, std::int64_t columns, std::int64_t state_columns);
void fold_pair(const LogitRows& tile_p, const LogitRows& tile_q, std::int64_t first_column,
               std::int64_t vocabulary, const RowOptions& options_p, const RowOptions& options_q,
               void* states, const Device& device);
// The same states from both products at once, by a wgmma kernel; all four matrices of one type, the
// options plain but for the temperature.
void fused_pair_fold(const HalfMatrix& hidden_p, const HalfMatrix& weight_p,
                     const HalfMatrix& hidden_q, const HalfMatrix& weight_q,
                     const RowOptions& options, void* states, FusedKernel kernel,
                     const Device& device);
// targets may be null: the log-probs are nan then.
void finish_pair(const void* states, std::int64_t rows, std::int64_t vocabulary,
                 const std::int64_t* targets, const float* target_p, const float* target_q,
                 const RowOptions& options_p, const RowOptions& options_q,
                 const DivergenceOutputs& out, std::int64_t state_columns, const Device& device);

}  // namespace rlvr::cuda
