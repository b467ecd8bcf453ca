// The interface of the CUDA kernels: raw pointers, strides and a stream, no CUDA type. In a build
// without CUDA, no_cuda.cpp defines the same symbols, and each throws.
//
// Pointers are device pointers unless stated otherwise; `stream` is a cudaStream_t. Every function
// enqueues kernels and returns; none synchronises or allocates. Each throws rlvr::CudaFailure where
// a launch fails, or without a driver or device.
//
// A row is cut into segments that depend on the number of columns alone. Each segment writes a
// partial state to the workspace, and finish_* merges the states in order. So the bits of a row's
// results do not depend on the batch.
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

// The transform from a stored value to a logit of the distribution.
struct RowOptions {
  const float* temperatures;  // one for each row, or null
  float temperature;          // used where temperatures is null
  const float* bias;          // one value a token, or null
  float scale;
  float softcap;  // 0: none
};

struct NucleusOutputs {
  float* logprob;    // under the truncated, renormalised distribution; -inf outside the nucleus
  float* kept_mass;  // the probability of the nucleus
};

struct Device {
  int index;
  void* stream;
};

bool built();        // whether this build has the kernels
int device_count();  // throws CudaFailure without a driver
std::string device_name(int device);

// The largest workspace of token statistics, for any number of rows.
inline constexpr std::int64_t kWorkspaceLimit = 64 << 20;

std::int64_t logits_workspace_bytes(std::int64_t rows, std::int64_t columns, LogitType type);
// targets: int64, one a row; a target outside [0, columns) is ignored and gives nan and rank -1.
// top_p in (0, 1] with nucleus != nullptr adds the nucleus; columns <= kNucleusColumns then.
void logits_stats(const LogitRows& logits, const std::int64_t* targets, const RowOptions& options,
                  void* workspace, std::int64_t workspace_bytes, const TokenOutputs& out,
                  float top_p, const NucleusOutputs* nucleus, const Device& device);
inline constexpr std::int64_t kNucleusColumns = 1 << 19;

// Tiles of a product: float32 logits [rows, tile columns], each folded when the product has written
// it.
inline constexpr std::int64_t kTileColumns = 4096;
// state_columns: the columns that one partial state of a row covers; kTileColumns for tiles,
// kFusedColumns for the states of the fused path.
std::int64_t tile_states_bytes(std::int64_t rows, std::int64_t columns, std::int64_t state_columns);
// Writes target_logits[r] to the target's column of row r where the tile holds that column, so that
// the target's logit has the same bits in the tile and in the comparisons.
void place_targets(float* tile, std::int64_t row_stride, std::int64_t rows,
                   std::int64_t first_column, std::int64_t columns, const std::int64_t* targets,
                   const float* target_logits, const Device& device);
// tile: the columns [first_column, first_column + columns) of the vocabulary; first_column is a
// multiple of kTileColumns.
void fold_tile(const LogitRows& tile, std::int64_t first_column, std::int64_t vocabulary,
               const std::int64_t* targets, const float* target_logits, const RowOptions& options,
               void* states, const Device& device);
void finish_tiles(const void* states, std::int64_t rows, std::int64_t vocabulary,
                  const std::int64_t* targets, const float* target_logits,
                  const RowOptions& options, const TokenOutputs& out, std::int64_t state_columns,
                  const Device& device);

// The fused path (linear_fused.cu): the product and its fold in one kernel. finish_tiles merges the
// states, one for kFusedColumns columns. kFusedColumns is small, so that all blocks of a GPU end at
// about the same time and a few rows occupy the whole GPU, but large compared with the fixed cost
// of a unit of work. Rows and columns are at most 2^30.
inline constexpr std::int64_t kFusedColumns = 512;
struct HalfMatrix {
  const void* data;  // the address and row_stride * 2 are divisible by 16
  LogitType type;    // bfloat16 or float16
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t row_stride;
};

// kMma: products of warps (mma.sync), from compute capability 8.0 on. kWgmma: products of
// warpgroups (wgmma), on compute capability 9.0. kWgmmaPairs: the same, with pairs of blocks that
// share the tiles of the weight; the results have the bits of kWgmma.
enum class FusedKernel { kMma, kWgmma, kWgmmaPairs };

bool fused_supported(int device, FusedKernel kernel);
// out[r] = hidden[r] . gathered[r], with the bits that the same kernel computes in its sweep.
// gathered: a row of the weight for each row of hidden.
void fused_target_logits(const HalfMatrix& hidden, const HalfMatrix& gathered, float* out,
                         FusedKernel kernel, const Device& device);
// logprob_only: computes only the parts of the states that the log-prob needs, and takes no bias,
// scale or softcap.
void fused_fold(const HalfMatrix& hidden, const HalfMatrix& weight, const std::int64_t* targets,
                const float* target_logits, const RowOptions& options, void* states,
                FusedKernel kernel, bool logprob_only, const Device& device);

std::int64_t pair_states_bytes(std::int64_t rows, std::int64_t columns, std::int64_t state_columns);
void fold_pair(const LogitRows& tile_p, const LogitRows& tile_q, std::int64_t first_column,
               std::int64_t vocabulary, const RowOptions& options_p, const RowOptions& options_q,
               void* states, const Device& device);
// The states of fold_pair, computed with both products in one wgmma kernel. All four matrices have
// one type; the options hold no bias, scale or softcap.
void fused_pair_fold(const HalfMatrix& hidden_p, const HalfMatrix& weight_p,
                     const HalfMatrix& hidden_q, const HalfMatrix& weight_q,
                     const RowOptions& options, void* states, FusedKernel kernel,
                     const Device& device);
// Where targets is null, the log-probs are nan.
void finish_pair(const void* states, std::int64_t rows, std::int64_t vocabulary,
                 const std::int64_t* targets, const float* target_p, const float* target_q,
                 const RowOptions& options_p, const RowOptions& options_q,
                 const DivergenceOutputs& out, std::int64_t state_columns, const Device& device);

}  // namespace rlvr::cuda
