# Adds the CUDA kernels to rlvr_core, or the stand-in that gives the same symbols and throws.
target_sources(rlvr_core PRIVATE ${CMAKE_CURRENT_LIST_DIR}/no_cuda.cpp)
