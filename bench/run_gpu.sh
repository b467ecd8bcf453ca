#!/usr/bin/env bash
# What `make gpu` runs, on any machine with an NVIDIA GPU, nvcc, torch and no network: builds the
# core in place for this GPU, runs the tests marked gpu, compute-sanitizer over a small set, and the
# GPU benchmarks. Logs, gpu.json and gpu.md go to $OUT, or to bench/results. What failed is printed
# last. PYTHON chooses the interpreter (default python3).
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
OUT=${OUT:-bench/results}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD:$PWD/bench${PYTHONPATH:+:$PYTHONPATH}"
failed=()

step() { # step NAME SECONDS COMMAND...
  local name=$1 limit=$2 start=$SECONDS
  shift 2
  echo "== $name"
  if timeout "$limit" "$@" >"$OUT/gpu-$name.log" 2>&1; then
    echo "   done in $((SECONDS - start)) s"
  else
    echo "   FAILED after $((SECONDS - start)) s; the end of $OUT/gpu-$name.log:"
    tail -n 25 "$OUT/gpu-$name.log" | sed 's/^/   | /'
    failed+=("$name")
    return 1
  fi
}

build() {
  local capability architecture generator=()
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
  cmake -S . -B build/gpu "${generator[@]}" -DPython_EXECUTABLE="$(command -v "$PYTHON")" \
    -DRLVR_CUDA=ON -DRLVR_CUDA_ARCHITECTURES="$architecture" -DRLVR_WERROR=ON &&
    cmake --build build/gpu --parallel "$(nproc)" &&
    rm -f rlvr_fast/_core*.so && cp build/gpu/_core*.so rlvr_fast/
}

spills() { # nvcc's own report: no kernel may spill
  grep -E "Compiling entry|spill|Used" "$OUT/gpu-build.log"
  ! grep -E "[1-9][0-9]* bytes spill" "$OUT/gpu-build.log"
}

export -f build spills
export PYTHON OUT
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || failed+=(nvidia-smi)
if step build 300 bash -c build; then
  # A build that found its objects up to date reports no registers.
  step spills 10 bash -c spills
  step tests 240 "$PYTHON" -m pytest -m gpu tests/cuda -q -p no:cacheprovider -x --maxfail 8
  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
      step "$tool" 100 compute-sanitizer --tool "$tool" --error-exitcode 9 \
        "$PYTHON" bench/gpu_sanitize.py
    done
  else
    echo "== memcheck, racecheck: compute-sanitizer is not installed, left out"
  fi
  step bench 200 "$PYTHON" bench/gpu.py --out "$OUT" && cat "$OUT/gpu.md"
fi
if ((${#failed[@]})); then
  echo "FAILED: ${failed[*]} (logs in $OUT)"
  exit 1
fi
echo "all of make gpu passed in $SECONDS s"
