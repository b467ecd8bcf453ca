// Token statistics of stored logits: one read of the logits gives all outputs, in exact float32.
#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/finish.cuh"
#include "scoring/cuda/device/launch.cuh"
#include "scoring/cuda/device/nucleus.cuh"

namespace rlvr::cuda {

namespace {

inline constexpr int kFoldThreads = 256;
template <typename T>
inline constexpr int kColumns = kSegment<T, kFoldThreads>;  // 8192 of float32, else 16384

template <typename T, bool kPlain>
__global__ void __launch_bounds__(kFoldThreads, kPlain ? 4 : 2)
    fold_segments(Rows<T> logits, std::int64_t first_row, const std::int64_t* __restrict__ targets,
                  Temperatures temperatures, LogitTransform transform, int segments,
                  PartialState* __restrict__ states, float* __restrict__ target_logits) {
  constexpr int kThreads = kFoldThreads;
  __shared__ float maxima[kThreads / 32];
  __shared__ Sums sums[kThreads / 32];
  const std::int64_t local_row = blockIdx.x / static_cast<unsigned>(segments);
  const int segment = static_cast<int>(blockIdx.x % static_cast<unsigned>(segments));
  const std::int64_t row = first_row + local_row;
  const std::int64_t target = targets[row];
  if (target < 0 || target >= logits.columns) return;  // finish_rows does not read its states
  const T* data = logits.row(row);

  Slice<T, kThreads> slice;
  slice.load(data, static_cast<std::int64_t>(segment) * kColumns<T>, logits.columns,
             static_cast<int>(threadIdx.x), access_bytes(data));
  const float stored = to_float(data[target]);
  const float target_logit = kPlain ? stored : transform.uncapped(stored, target);

  const float largest =
      block_max<kThreads>(slice.template largest<kPlain>(transform, 0, logits.columns), maxima);
  slice.refresh();
  const Reference reference = make_reference(units_per_logit_of(temperatures(row)), largest);
  const Sums total = block_sum<kThreads>(
      slice.template fold<kPlain>(reference, target_logit, transform, 0, logits.columns), sums);
  if (threadIdx.x == 0) {
    states[blockIdx.x] = make_partial(reference, total);
    if (segment == 0) target_logits[local_row] = stored;
  }
}

inline constexpr int kNucleusThreads = 1024;

struct NucleusShared {
  std::uint32_t counts[kBins];
  std::uint32_t offsets[kBins];
  double sums[kNucleusThreads / 32];
  Boundary boundary;
  int bin;
  double before;
  std::uint32_t ties;
};

// Returns the sum of `value` over the threads before this one; `total` is the sum over all threads.
__device__ __forceinline__ double block_prefix(double value, double* shared, double& total) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  double inclusive = value;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const double other = __shfl_up_sync(0xffffffffu, inclusive, step);
    if (lane >= step) inclusive += other;
  }
  if (lane == 31) shared[warp] = inclusive;
  __syncthreads();
  double before = 0.0;
  total = 0.0;
  for (int w = 0; w < kNucleusThreads / 32; ++w) {
    if (w == warp) before = total;
    total += shared[w];
  }
  __syncthreads();
  return before + inclusive - value;
}

// Calls visit(column, exponent) for every logit of a row whose exponent is above -limit.
template <typename T, bool kPlain, typename Visit>
__device__ __forceinline__ void for_each_candidate(const T* data, std::int64_t columns,
                                                   const LogitTransform& transform,
                                                   const Reference& reference, float limit,
                                                   Visit visit) {
  constexpr int kAtOnce = 4;
  constexpr std::int64_t kStep = std::int64_t{kNucleusThreads} * Word<T>::kElements;
  const int bytes = access_bytes(data);
  for (std::int64_t begin = static_cast<std::int64_t>(threadIdx.x) * Word<T>::kElements;
       begin < columns; begin += kAtOnce * kStep) {
    Word<T> words[kAtOnce];
#pragma unroll
    for (int w = 0; w < kAtOnce; ++w) {
      words[w] = load_word(data, begin + w * kStep, columns, bytes);
    }
#pragma unroll
    for (int w = 0; w < kAtOnce; ++w) {
#pragma unroll
      for (int i = 0; i < Word<T>::kElements; ++i) {
        const std::int64_t column = begin + w * kStep + i;
        float z = words[w].element(i);
        if (!kPlain && column < columns) z = transform.capped(transform.uncapped(z, column));
        const float exponent = exponent_of(z, reference);
        if (exponent > -limit) visit(column, exponent);
      }
    }
  }
}

// Finds the bin where the running sum of the bins reaches `wanted`. mass(b) is the probability of
// bin b, unnormalised; one thread at most calls found(b, before).
template <typename Mass, typename Found>
__device__ __forceinline__ double find_bin(double wanted, double* shared, Mass mass, Found found) {
  constexpr int kShare = kBins / kNucleusThreads;
  const int first = static_cast<int>(threadIdx.x) * kShare;
  double masses[kShare];
  double share = 0.0;
#pragma unroll
  for (int b = 0; b < kShare; ++b) {
    masses[b] = mass(first + b);
    share += masses[b];
  }
  double total;
  const double before = block_prefix(share, shared, total);
  // Two neighbouring threads may round the running sum at their common edge differently, so the
  // threads agree through shared memory on the first thread that reaches `wanted`.
  const bool reaches = share > 0.0 && before + share >= wanted;
  int* first_thread = reinterpret_cast<int*>(shared);
  if (threadIdx.x == 0) *first_thread = kNucleusThreads;
  __syncthreads();
  if (reaches) atomicMin(first_thread, static_cast<int>(threadIdx.x));
  __syncthreads();
  const bool chosen = *first_thread == static_cast<int>(threadIdx.x);
  __syncthreads();
  if (chosen) {
    double sum = before;
    int last = -1;
    double last_before = before;
    for (int b = 0; b < kShare; ++b) {
      if (masses[b] <= 0.0) continue;
      last = b;
      last_before = sum;
      sum += masses[b];
      if (sum >= wanted) break;
    }
    found(first + last, last_before);
  }
  return total;
}

template <typename T, bool kPlain>
__global__ void __launch_bounds__(kNucleusThreads)
    nucleus_rows(Rows<T> logits, std::int64_t first_row, const std::int64_t* __restrict__ targets,
                 Temperatures temperatures, LogitTransform transform,
                 const RowScale* __restrict__ scales, const float* __restrict__ target_logits,
                 double top_p, const float* __restrict__ logprobs, NucleusOutputs out) {
  NucleusShared& shared = *reinterpret_cast<NucleusShared*>(dynamic_shared());
  const std::int64_t local_row = blockIdx.x;
  const std::int64_t row = first_row + local_row;
  const std::int64_t target = targets[row];
  const RowScale scale = scales[local_row];
  const float logprob = logprobs[row];
  if (!(scale.sum > 0.0) || logprob != logprob || top_p >= 1.0) {
    if (threadIdx.x == 0) {
      const bool undefined = !(scale.sum > 0.0) || logprob != logprob;
      out.logprob[row] = logprob;
      out.kept_mass[row] = undefined ? float_of_bits(0x7fc00000u) : 1.0f;
    }
    return;
  }
  const T* data = logits.row(row);
  const float units_per_logit = units_per_logit_of(temperatures(row));
  const Reference reference = row_reference(units_per_logit, scale.shift);
  const float target_exponent = exponent_of(
      transform.capped(transform.uncapped(target_logits[local_row], target)), reference);
  const float limit = nucleus_limit(scale.sum, top_p, logits.columns);
  const double wanted = top_p * scale.sum;
  const std::uint32_t target_key =
      target_exponent > -limit ? nucleus_key(target_exponent) : 0xffffffffu;

  for (int b = static_cast<int>(threadIdx.x); b < kBins; b += kNucleusThreads) {
    shared.counts[b] = 0;
    shared.offsets[b] = 0;
  }
  if (threadIdx.x == 0) {
    shared.bin = kBins;  // no bin: rounding may leave the total below `wanted`
    shared.ties = 0;
    shared.boundary = {0xffffffffu, 1, scale.sum};
  }
  __syncthreads();
  std::uint32_t ties = 0;
  for_each_candidate<T, kPlain>(data, logits.columns, transform, reference, limit,
                                [&](std::int64_t column, float exponent) {
                                  const std::uint32_t key = nucleus_key(exponent);
                                  atomicAdd(&shared.counts[key / kBins], 1u);
                                  atomicAdd(&shared.offsets[key / kBins], nucleus_offset(key));
                                  if (key == target_key && column < target) ++ties;
                                });
  if (ties != 0) atomicAdd(&shared.ties, ties);
  __syncthreads();
  find_bin(
      wanted, shared.sums, [&](int b) { return bin_mass(b, shared.counts[b], shared.offsets[b]); },
      [&](int b, double before) {
        shared.bin = b;
        shared.before = before;
      });
  __syncthreads();

  const int bin = shared.bin;
  if (bin < kBins) {
    for (int b = static_cast<int>(threadIdx.x); b < kBins; b += kNucleusThreads) {
      shared.counts[b] = 0;
    }
    __syncthreads();
    for_each_candidate<T, kPlain>(data, logits.columns, transform, reference, limit,
                                  [&](std::int64_t, float exponent) {
                                    const std::uint32_t key = nucleus_key(exponent);
                                    if (static_cast<int>(key / kBins) == bin) {
                                      atomicAdd(&shared.counts[key % kBins], 1u);
                                    }
                                  });
    __syncthreads();
    const std::uint32_t first_key = static_cast<std::uint32_t>(bin) * kBins;
    const double before_bin = shared.before;
    // Where the two histograms round differently, the sum of the bin may stay below `wanted`; then
    // the whole bin is kept.
    if (threadIdx.x == 0) shared.boundary = {first_key + kBins - 1, kNucleusColumns, -1.0};
    __syncthreads();
    const double in_bin = find_bin(
        wanted - before_bin, shared.sums,
        [&](int b) {
          const std::uint32_t count = shared.counts[b];
          return count == 0 ? 0.0 : count * key_mass(first_key + static_cast<std::uint32_t>(b));
        },
        [&](int b, double before) {
          shared.boundary = boundary_at(first_key + static_cast<std::uint32_t>(b), shared.counts[b],
                                        before_bin + before, wanted);
        });
    __syncthreads();
    if (threadIdx.x == 0 && shared.boundary.kept < 0.0) {
      shared.boundary.kept = before_bin + in_bin;
    }
  }
  if (threadIdx.x == 0) {
    const Boundary boundary = shared.boundary;
    const double kept = boundary.kept < scale.sum ? boundary.kept / scale.sum : 1.0;
    const bool inside = is_kept(boundary, target_key, shared.ties);
    out.kept_mass[row] = static_cast<float>(kept);
    out.logprob[row] = inside ? static_cast<float>(logprob - log(kept)) : negative_infinity();
  }
}

struct Layout {
  std::int64_t segments;
  std::int64_t row_bytes;  // of the workspace
};

Layout layout_of(std::int64_t columns, LogitType type) {
  const std::int64_t segments =
      ceil_div(columns, type == LogitType::kFloat32 ? kColumns<float> : kColumns<Bfloat16>);
  return {segments, segments * static_cast<std::int64_t>(sizeof(PartialState)) +
                        static_cast<std::int64_t>(sizeof(RowScale) + 2 * sizeof(float))};
}

// The number of rows that stay in the L2 cache for two more sweeps.
std::int64_t rows_in_cache(std::int64_t columns, std::size_t element_bytes) {
  const std::int64_t rows = (32 << 20) / (columns * static_cast<std::int64_t>(element_bytes) + 1);
  return rows < 32 ? 32 : rows;
}

template <typename T, bool kPlain>
void run(const LogitRows& logits, const std::int64_t* targets, const RowOptions& options,
         void* workspace, std::int64_t workspace_bytes, const TokenOutputs& out, float top_p,
         const NucleusOutputs* nucleus, const Device& device) {
  const Layout layout = layout_of(logits.columns, logits.type);
  std::int64_t chunk = workspace_bytes / layout.row_bytes;
  if (chunk < 1) throw CudaFailure("logits_stats: the workspace is too small for one row");
  if (nucleus != nullptr) {
    const std::int64_t cached = rows_in_cache(logits.columns, sizeof(T));
    if (cached < chunk) chunk = cached;
    // More than 48 KiB of shared memory needs this attribute.
    check(cudaFuncSetAttribute(nucleus_rows<T, kPlain>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(sizeof(NucleusShared))),
          "logits_stats: nucleus");
  }
  if (chunk > logits.rows) chunk = logits.rows;
  const std::int64_t most = 0x7fffffff / layout.segments;
  if (chunk > most) chunk = most;
  auto* states = static_cast<PartialState*>(workspace);
  auto* scales = reinterpret_cast<RowScale*>(states + chunk * layout.segments);
  auto* target_logits = reinterpret_cast<float*>(scales + chunk);
  const Rows<T> rows = rows_of<T>(logits);
  const Temperatures temperatures = {options.temperatures, options.temperature};
  const LogitTransform transform = transform_of(options);
  const int segments = static_cast<int>(layout.segments);
  for (std::int64_t first = 0; first < logits.rows; first += chunk) {
    const std::int64_t count = logits.rows - first < chunk ? logits.rows - first : chunk;
    launch("logits_stats: fold_segments", fold_segments<T, kPlain>, count * layout.segments,
           kFoldThreads, 0, device.stream, rows, first, targets, temperatures, transform, segments,
           states, target_logits);
    launch("logits_stats: finish_rows", finish_rows, ceil_div(count, kFinishThreads / 32),
           kFinishThreads, 0, device.stream, states, segments, first, count, logits.columns,
           targets, temperatures, transform, target_logits, out,
           nucleus == nullptr ? nullptr : scales);
    if (nucleus == nullptr) continue;
    launch("logits_stats: nucleus_rows", nucleus_rows<T, kPlain>, count, kNucleusThreads,
           sizeof(NucleusShared), device.stream, rows, first, targets, temperatures, transform,
           scales, target_logits, static_cast<double>(top_p), out.logprob, *nucleus);
  }
}

}  // namespace

std::int64_t logits_workspace_bytes(std::int64_t rows, std::int64_t columns, LogitType type) {
  const Layout layout = layout_of(columns, type);
  const std::int64_t fitting = kWorkspaceLimit / layout.row_bytes;
  const std::int64_t chunk = rows < fitting ? rows : fitting;
  return (chunk < 1 ? 1 : chunk) * layout.row_bytes;
}

void logits_stats(const LogitRows& logits, const std::int64_t* targets, const RowOptions& options,
                  void* workspace, std::int64_t workspace_bytes, const TokenOutputs& out,
                  float top_p, const NucleusOutputs* nucleus, const Device& device) {
  use_device(device.index);
  if (logits.rows == 0) return;
  if (nucleus != nullptr && logits.columns > kNucleusColumns) {
    throw InvalidInput("top_p: at most " + std::to_string(kNucleusColumns) +
                       " columns are supported, not " + std::to_string(logits.columns));
  }
  const bool plain = transform_of(options).plain();
  const auto dispatch = [&]<typename T>(T) {
    const auto call = plain ? run<T, true> : run<T, false>;
    call(logits, targets, options, workspace, workspace_bytes, out, top_p, nucleus, device);
  };
  switch (logits.type) {
    case LogitType::kFloat32:
      return dispatch(float{});
    case LogitType::kBfloat16:
      return dispatch(Bfloat16{});
    case LogitType::kFloat16:
      return dispatch(Float16{});
  }
}

bool built() { return true; }

int device_count() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "rlvr_fast: no CUDA device");
  return count;
}

std::string device_name(int device) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "rlvr_fast: no CUDA device");
  return properties.name;
}

}  // namespace rlvr::cuda
