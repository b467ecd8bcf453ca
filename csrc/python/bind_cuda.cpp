// Binds the CUDA kernels. rlvr_fast/scoring/kernels/cuda*.py check tensors and pass addresses, so
// that the build needs no torch and no tensor is copied.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/error.hpp"
#include "scoring/cuda/launch.hpp"

namespace py = pybind11;

namespace rlvr::python {
namespace {

using Address = std::uintptr_t;

template <typename T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

cuda::LogitType logit_type(const std::string& name) {
  if (name == "float32") return cuda::LogitType::kFloat32;
  if (name == "bfloat16") return cuda::LogitType::kBfloat16;
  if (name == "float16") return cuda::LogitType::kFloat16;
  throw InvalidInput("logits must be float32, bfloat16 or float16, not " + name);
}

cuda::FusedKernel fused_kernel(const std::string& name) {
  if (name == "mma") return cuda::FusedKernel::kMma;
  if (name == "wgmma") return cuda::FusedKernel::kWgmma;
  if (name == "wgmma_pairs") return cuda::FusedKernel::kWgmmaPairs;
  throw InvalidInput("the fused kernels are mma, wgmma and wgmma_pairs, not " + name);
}

cuda::LogitRows logit_rows(Address data, const std::string& type, std::int64_t rows,
                           std::int64_t columns, std::int64_t inner_rows, std::int64_t outer_stride,
                           std::int64_t row_stride) {
  return {at<void>(data), logit_type(type), rows, columns, inner_rows, outer_stride, row_stride};
}

cuda::RowOptions row_options(Address temperatures, float temperature, Address bias, float scale,
                             float softcap) {
  return {at<const float>(temperatures), temperature, at<const float>(bias), scale, softcap};
}

TokenOutputs token_outputs(Address logprob, Address entropy, Address logsumexp, Address rank,
                           Address mass_above) {
  return {at<float>(logprob), at<float>(entropy), at<float>(logsumexp), at<float>(mass_above),
          at<std::int32_t>(rank)};
}

DivergenceOutputs divergence_outputs(Address kl_pq, Address kl_qp, Address entropy_p,
                                     Address entropy_q, Address logprob_p, Address logprob_q) {
  return {at<float>(kl_pq),     at<float>(kl_qp),     at<float>(entropy_p),
          at<float>(entropy_q), at<float>(logprob_p), at<float>(logprob_q)};
}

cuda::Device device_of(int index, Address stream) { return {index, at<void>(stream)}; }

void logits_stats(const cuda::LogitRows& logits, Address targets, const cuda::RowOptions& options,
                  Address workspace, std::int64_t workspace_bytes, const TokenOutputs& out,
                  float top_p, Address nucleus_logprob, Address nucleus_mass,
                  const cuda::Device& device) {
  const cuda::NucleusOutputs nucleus = {at<float>(nucleus_logprob), at<float>(nucleus_mass)};
  const bool wanted = nucleus_logprob != 0 && nucleus_mass != 0;
  const py::gil_scoped_release release;
  cuda::logits_stats(logits, at<const std::int64_t>(targets), options, at<void>(workspace),
                     workspace_bytes, out, top_p, wanted ? &nucleus : nullptr, device);
}

void place_targets(Address tile, std::int64_t row_stride, std::int64_t rows,
                   std::int64_t first_column, std::int64_t columns, Address targets,
                   Address target_logits, const cuda::Device& device) {
  cuda::place_targets(at<float>(tile), row_stride, rows, first_column, columns,
                      at<const std::int64_t>(targets), at<const float>(target_logits), device);
}

void fold_tile(const cuda::LogitRows& tile, std::int64_t first_column, std::int64_t vocabulary,
               Address targets, Address target_logits, const cuda::RowOptions& options,
               Address states, const cuda::Device& device) {
  cuda::fold_tile(tile, first_column, vocabulary, at<const std::int64_t>(targets),
                  at<const float>(target_logits), options, at<void>(states), device);
}

void finish_tiles(Address states, std::int64_t rows, std::int64_t vocabulary, Address targets,
                  Address target_logits, const cuda::RowOptions& options, const TokenOutputs& out,
                  std::int64_t state_columns, const cuda::Device& device) {
  cuda::finish_tiles(at<const void>(states), rows, vocabulary, at<const std::int64_t>(targets),
                     at<const float>(target_logits), options, out, state_columns, device);
}

cuda::HalfMatrix half_matrix(Address data, const std::string& type, std::int64_t rows,
                             std::int64_t columns, std::int64_t row_stride) {
  return {at<const void>(data), logit_type(type), rows, columns, row_stride};
}

void fused_target_logits(const cuda::HalfMatrix& hidden, const cuda::HalfMatrix& gathered,
                         Address out, const std::string& kernel, const cuda::Device& device) {
  cuda::fused_target_logits(hidden, gathered, at<float>(out), fused_kernel(kernel), device);
}

void fused_fold(const cuda::HalfMatrix& hidden, const cuda::HalfMatrix& weight, Address targets,
                Address target_logits, const cuda::RowOptions& options, Address states,
                const std::string& kernel, bool logprob_only, const cuda::Device& device) {
  cuda::fused_fold(hidden, weight, at<const std::int64_t>(targets), at<const float>(target_logits),
                   options, at<void>(states), fused_kernel(kernel), logprob_only, device);
}

void fold_pair(const cuda::LogitRows& tile_p, const cuda::LogitRows& tile_q,
               std::int64_t first_column, std::int64_t vocabulary,
               const cuda::RowOptions& options_p, const cuda::RowOptions& options_q, Address states,
               const cuda::Device& device) {
  cuda::fold_pair(tile_p, tile_q, first_column, vocabulary, options_p, options_q, at<void>(states),
                  device);
}

void fused_pair_fold(const cuda::HalfMatrix& hidden_p, const cuda::HalfMatrix& weight_p,
                     const cuda::HalfMatrix& hidden_q, const cuda::HalfMatrix& weight_q,
                     const cuda::RowOptions& options, Address states, const std::string& kernel,
                     const cuda::Device& device) {
  cuda::fused_pair_fold(hidden_p, weight_p, hidden_q, weight_q, options, at<void>(states),
                        fused_kernel(kernel), device);
}

void finish_pair(Address states, std::int64_t rows, std::int64_t vocabulary, Address targets,
                 Address target_p, Address target_q, const cuda::RowOptions& options_p,
                 const cuda::RowOptions& options_q, const DivergenceOutputs& out,
                 std::int64_t state_columns, const cuda::Device& device) {
  cuda::finish_pair(at<const void>(states), rows, vocabulary, at<const std::int64_t>(targets),
                    at<const float>(target_p), at<const float>(target_q), options_p, options_q, out,
                    state_columns, device);
}

}  // namespace
}  // namespace rlvr::python

void bind_cuda(py::module_& m) {
  namespace cuda = rlvr::cuda;
  using namespace rlvr::python;
  auto c = m.def_submodule("cuda", "CUDA kernels; addresses are of device memory.");
  c.def("built", &cuda::built, "Whether this build has the CUDA kernels.");
  c.def("device_count", &cuda::device_count,
        "The number of GPUs; raises CudaError without a driver.");
  c.def("device_name", &cuda::device_name, py::arg("device"));
  c.attr("TILE_COLUMNS") = cuda::kTileColumns;
  c.attr("FUSED_COLUMNS") = cuda::kFusedColumns;
  c.attr("NUCLEUS_COLUMNS") = cuda::kNucleusColumns;

  py::class_<cuda::LogitRows>(c, "LogitRows", py::module_local())
      .def(py::init(&logit_rows), py::arg("data"), py::arg("type"), py::arg("rows"),
           py::arg("columns"), py::arg("inner_rows"), py::arg("outer_stride"),
           py::arg("row_stride"));
  py::class_<cuda::RowOptions>(c, "RowOptions", py::module_local())
      .def(py::init(&row_options), py::arg("temperatures"), py::arg("temperature"), py::arg("bias"),
           py::arg("scale"), py::arg("softcap"));
  py::class_<rlvr::TokenOutputs>(c, "TokenOutputs", py::module_local())
      .def(py::init(&token_outputs), py::arg("logprob"), py::arg("entropy"), py::arg("logsumexp"),
           py::arg("rank"), py::arg("mass_above"));
  py::class_<rlvr::DivergenceOutputs>(c, "DivergenceOutputs", py::module_local())
      .def(py::init(&divergence_outputs), py::arg("kl_pq"), py::arg("kl_qp"), py::arg("entropy_p"),
           py::arg("entropy_q"), py::arg("logprob_p"), py::arg("logprob_q"));
  py::class_<cuda::Device>(c, "Device", py::module_local())
      .def(py::init(&device_of), py::arg("index"), py::arg("stream"));

  c.def(
      "logits_workspace_bytes",
      [](std::int64_t rows, std::int64_t columns, const std::string& type) {
        return cuda::logits_workspace_bytes(rows, columns, logit_type(type));
      },
      py::arg("rows"), py::arg("columns"), py::arg("type"));
  c.def("logits_stats", &logits_stats, py::arg("logits"), py::arg("targets"), py::arg("options"),
        py::arg("workspace"), py::arg("workspace_bytes"), py::arg("out"), py::arg("top_p"),
        py::arg("nucleus_logprob"), py::arg("nucleus_mass"), py::arg("device"));
  c.def("tile_states_bytes", &cuda::tile_states_bytes, py::arg("rows"), py::arg("columns"),
        py::arg("state_columns"));
  c.def("place_targets", &place_targets, py::arg("tile"), py::arg("row_stride"), py::arg("rows"),
        py::arg("first_column"), py::arg("columns"), py::arg("targets"), py::arg("target_logits"),
        py::arg("device"));
  c.def("fold_tile", &fold_tile, py::arg("tile"), py::arg("first_column"), py::arg("vocabulary"),
        py::arg("targets"), py::arg("target_logits"), py::arg("options"), py::arg("states"),
        py::arg("device"));
  c.def("finish_tiles", &finish_tiles, py::arg("states"), py::arg("rows"), py::arg("vocabulary"),
        py::arg("targets"), py::arg("target_logits"), py::arg("options"), py::arg("out"),
        py::arg("state_columns"), py::arg("device"));
  py::class_<cuda::HalfMatrix>(c, "HalfMatrix", py::module_local())
      .def(py::init(&half_matrix), py::arg("data"), py::arg("type"), py::arg("rows"),
           py::arg("columns"), py::arg("row_stride"));
  c.def(
      "fused_supported",
      [](int device, const std::string& kernel) {
        return cuda::fused_supported(device, fused_kernel(kernel));
      },
      py::arg("device"), py::arg("kernel") = "mma",
      "Whether this GPU runs this fused kernel: \"mma\", \"wgmma\" or \"wgmma_pairs\".");
  c.def("fused_target_logits", &fused_target_logits, py::arg("hidden"), py::arg("gathered"),
        py::arg("out"), py::arg("kernel"), py::arg("device"));
  c.def("fused_fold", &fused_fold, py::arg("hidden"), py::arg("weight"), py::arg("targets"),
        py::arg("target_logits"), py::arg("options"), py::arg("states"), py::arg("kernel"),
        py::arg("logprob_only"), py::arg("device"));
  c.def("pair_states_bytes", &cuda::pair_states_bytes, py::arg("rows"), py::arg("columns"),
        py::arg("state_columns"));
  c.def("fold_pair", &fold_pair, py::arg("tile_p"), py::arg("tile_q"), py::arg("first_column"),
        py::arg("vocabulary"), py::arg("options_p"), py::arg("options_q"), py::arg("states"),
        py::arg("device"));
  c.def("fused_pair_fold", &fused_pair_fold, py::arg("hidden_p"), py::arg("weight_p"),
        py::arg("hidden_q"), py::arg("weight_q"), py::arg("options"), py::arg("states"),
        py::arg("kernel"), py::arg("device"));
  c.def("finish_pair", &finish_pair, py::arg("states"), py::arg("rows"), py::arg("vocabulary"),
        py::arg("targets"), py::arg("target_p"), py::arg("target_q"), py::arg("options_p"),
        py::arg("options_q"), py::arg("out"), py::arg("state_columns"), py::arg("device"));
}
