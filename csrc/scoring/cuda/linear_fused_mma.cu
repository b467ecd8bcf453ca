// Launches the fused product and fold of device/fused_mma.cuh.
#include "scoring/cuda/device/fused_launch.cuh"
#include "scoring/cuda/device/fused_mma.cuh"

namespace rlvr::cuda {

namespace {

using namespace ampere;

Operand operand_of(const HalfMatrix& matrix) {
  return {static_cast<const std::uint16_t*>(matrix.data), matrix.row_stride};
}

template <Job kJob, bool kPlain>
void run(const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
         const Device& device) {
  const auto kernel = hidden.type == LogitType::kBfloat16 ? fused_rows<Bfloat16, kJob, kPlain>
                                                          : fused_rows<Float16, kJob, kPlain>;
  launch_persistent("linear_fused_mma", kernel,
                    WorkUnits<kJob>(work.rows, work.columns, kRows).count, 1, kThreads,
                    sizeof(Shared), device, operand_of(hidden), operand_of(weight), work);
}

}  // namespace

void launch_fused_mma(Job job, const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
                      const Device& device) {
  auto call = run<Job::kDiagonal, true>;
  if (job == Job::kLogprob) call = run<Job::kLogprob, true>;
  if (job == Job::kFold) {
    call = work.transform.plain() ? run<Job::kFold, true> : run<Job::kFold, false>;
  }
  call(hidden, weight, work, device);
}

}  // namespace rlvr::cuda
