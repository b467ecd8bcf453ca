#!/usr/bin/env bash
# The script of `make gpu`, for a machine with an NVIDIA GPU, nvcc and torch; it needs no network.
# Builds the core in place for this GPU, runs the tests marked gpu, compute-sanitizer on a small set
# of calls, and the GPU benchmarks. Writes gpu.json, gpu.md and gpu_fused.json to $OUT, or to
# bench/results; logs to build/gpu-logs, and where $OUT is set also to $OUT/gpu.log. Prints failed
# steps last. PYTHON is the interpreter (default python3).
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
OUT=${OUT:-bench/results}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
LOGS=build/gpu-logs # joined into one file in OUT where OUT is set
rm -rf "$LOGS" && mkdir -p "$LOGS"
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD:$PWD/bench${PYTHONPATH:+:$PYTHONPATH}"
failed=()

if ! nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader; then
  echo "FAILED: this machine shows no NVIDIA GPU (nvidia-smi); make gpu needs one" >&2
  exit 1
fi

step() { # step NAME SECONDS COMMAND...
  local name=$1 limit=$2 start=$SECONDS status=0
  shift 2
  echo "== $name"
  timeout "$limit" "$@" >"$LOGS/$name.log" 2>&1 || status=$?
  if ((status == 0)); then
    echo "   done in $((SECONDS - start)) s"
  else
    echo "   FAILED ($status) after $((SECONDS - start)) s; the end of its output:"
    tail -n 25 "$LOGS/$name.log" | cut -c 1-300 | sed 's/^/   | /'
    failed+=("$name")
  fi
  return "$status"
}

build() {
  local capability architecture
  local generator=() cmake=(cmake)
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1)
  case $capability in
    8.*) architecture=80 ;;
    9.0) architecture=90a ;;
    10.0) architecture=100 ;;
    *) architecture=all ;;
  esac
  architecture=${RLVR_CUDA_ARCHITECTURES:-$architecture}
  echo "compute capability $capability, building for $architecture"
  command -v ninja >/dev/null && generator=(-G Ninja)
  # The CMake of the environment comes first, because a system's CMake may be older than its nvcc.
  "$PYTHON" -m cmake --version >/dev/null 2>&1 && cmake=("$PYTHON" -m cmake)
  "${cmake[@]}" --version | head -n 1
  "${cmake[@]}" -S . -B build/gpu "${generator[@]}" -DPython_EXECUTABLE="$(command -v "$PYTHON")" \
    -DRLVR_CUDA=ON -DRLVR_CUDA_ARCHITECTURES="$architecture" &&
    "${cmake[@]}" --build build/gpu --parallel "$(nproc)" &&
    rm -f rlvr_fast/_core*.so && cp build/gpu/_core*.so rlvr_fast/
}

spills() { # No kernel may spill, by the report of nvcc. Empty where nothing was compiled.
  grep -E "Compiling entry|spill|Used" "$LOGS/build.log"
  ! grep -E "[1-9][0-9]* bytes spill" "$LOGS/build.log"
}

sanitize() { # sanitize NAME TOOL; of the calls that $RLVR_LINEAR_PATH chooses
  local probe
  if ! command -v compute-sanitizer >/dev/null; then
    echo "== $1: compute-sanitizer is not installed, skipped"
    return
  fi
  probe=$(timeout 60 compute-sanitizer "$PYTHON" -c \
    "import torch; torch.zeros(1, device='cuda')" 2>&1)
  if grep -qi "device not supported" <<<"$probe"; then # in some virtual machines
    echo "== $1: compute-sanitizer does not support this device, skipped"
    return
  fi
  step "$1" 100 compute-sanitizer --tool "$2" --error-exitcode 9 "$PYTHON" bench/gpu_sanitize.py
}

export -f build spills
export PYTHON LOGS
if step build 300 bash -c build; then
  step spills 10 bash -c spills
  step tests 240 "$PYTHON" -m pytest -m gpu tests/cuda -q -p no:cacheprovider --maxfail 8 \
    --ignore tests/cuda/test_cuda_fused.py
  sanitize memcheck memcheck
  sanitize racecheck racecheck
  step bench 150 "$PYTHON" bench/gpu.py --out "$OUT" && cat "$OUT/gpu.md"
  # The last step, and separate: if a kernel of this path hangs, the other results are kept.
  step fused-tests 90 "$PYTHON" -m pytest -m gpu tests/cuda/test_cuda_fused.py -q \
    -p no:cacheprovider --maxfail 4 &&
    RLVR_LINEAR_PATH=fused sanitize fused-memcheck memcheck &&
    step fused-bench 60 "$PYTHON" bench/gpu.py --fused --out "$OUT" &&
    grep linear_token_stats "$LOGS/fused-bench.log"
fi
if [[ -n ${KEEP_LOGS:-} || $OUT != */bench/results ]]; then
  tail -n +1 "$LOGS"/*.log >"$OUT/gpu.log"
fi
if ((${#failed[@]})); then
  echo "FAILED: ${failed[*]} (logs in $LOGS)"
  exit 1
fi
echo "all of make gpu passed in $SECONDS s"
