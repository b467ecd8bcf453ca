// Where results go: arrays of one value a row, in host or in device memory. No pointer may be null.
#pragma once

#include <cstdint>

#include "math/online_softmax.hpp"

namespace rlvr {

struct TokenOutputs {
  float* logprob;
  float* entropy;
  float* logsumexp;
  float* mass_above;
  std::int32_t* rank;

  template <typename Real>
  RLVR_HD void set(std::int64_t row, const TokenResult<Real>& result) const {
    logprob[row] = static_cast<float>(result.logprob);
    entropy[row] = static_cast<float>(result.entropy);
    logsumexp[row] = static_cast<float>(result.logsumexp);
    mass_above[row] = static_cast<float>(result.mass_above);
    rank[row] = result.rank;
  }
};

struct DivergenceOutputs {
  float* kl_pq;
  float* kl_qp;
  float* entropy_p;
  float* entropy_q;
  float* logprob_p;  // nan where there are no targets
  float* logprob_q;
};

}  // namespace rlvr
