// The symbols of launch.hpp in a build without the CUDA kernels, so that callers need no #ifdef.
#include "common/error.hpp"
#include "scoring/cuda/launch.hpp"

namespace rlvr::cuda {

namespace {

[[noreturn]] void not_built() {
  throw CudaFailure(
      "the CUDA kernels are not in this build of rlvr_fast: rebuild it with RLVR_CUDA=ON where "
      "nvcc is, or move the tensors to the CPU");
}

}  // namespace

bool built() { return false; }
int device_count() { not_built(); }
std::string device_name(int) { not_built(); }

std::int64_t logits_workspace_bytes(std::int64_t, std::int64_t, LogitType) { not_built(); }
void logits_stats(const LogitRows&, const std::int64_t*, const RowOptions&, void*, std::int64_t,
                  const TokenOutputs&, float, const NucleusOutputs*, const Device&) {
  not_built();
}

std::int64_t tile_states_bytes(std::int64_t, std::int64_t, std::int64_t) { not_built(); }
void place_targets(float*, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                   const std::int64_t*, const float*, const Device&) {
  not_built();
}
void fold_tile(const LogitRows&, std::int64_t, std::int64_t, const std::int64_t*, const float*,
               const RowOptions&, void*, const Device&) {
  not_built();
}
void finish_tiles(const void*, std::int64_t, std::int64_t, const std::int64_t*, const float*,
                  const RowOptions&, const TokenOutputs&, std::int64_t, const Device&) {
  not_built();
}

bool fused_supported(int, FusedKernel) { not_built(); }
void fused_target_logits(const HalfMatrix&, const HalfMatrix&, float*, FusedKernel, const Device&) {
  not_built();
}
void fused_fold(const HalfMatrix&, const HalfMatrix&, const std::int64_t*, const float*,
                const RowOptions&, void*, FusedKernel, bool, const Device&) {
  not_built();
}

std::int64_t pair_states_bytes(std::int64_t, std::int64_t, std::int64_t) { not_built(); }
void fold_pair(const LogitRows&, const LogitRows&, std::int64_t, std::int64_t, const RowOptions&,
               const RowOptions&, void*, const Device&) {
  not_built();
}
void fused_pair_fold(const HalfMatrix&, const HalfMatrix&, const HalfMatrix&, const HalfMatrix&,
                     const RowOptions&, void*, FusedKernel, const Device&) {
  not_built();
}
void finish_pair(const void*, std::int64_t, std::int64_t, const std::int64_t*, const float*,
                 const float*, const RowOptions&, const RowOptions&, const DivergenceOutputs&,
                 std::int64_t, const Device&) {
  not_built();
}

}  // namespace rlvr::cuda
