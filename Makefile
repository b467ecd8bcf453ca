# Everything a newcomer needs: make demo, make test. See README.md.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: build

# Compiles the core in place (rlvr_fast/_core*.so), for working on the C++.
build:
	cmake -S . -B build/dev -G Ninja -DPython_EXECUTABLE=$$(command -v $(PY)) -DRLVR_CUDA=$${RLVR_CUDA:-OFF} -DRLVR_WERROR=ON > build.log 2>&1 || (cat build.log; exit 1)
	cmake --build build/dev
	cp build/dev/_core*.so rlvr_fast/
PY ?= python3
