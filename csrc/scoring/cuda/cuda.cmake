# Adds the CUDA kernels to rlvr_core, or no_cuda.cpp, which defines the same symbols and throws.
#
# RLVR_CUDA=ON needs nvcc only (no GPU, no torch); AUTO means ON where nvcc and a driver are
# installed. RLVR_CUDA_ARCHITECTURES: "all" (for wheels) or a list of nvcc's names such as "90a".
# Code for sm_90a runs on 9.0 only (wgmma); a GPU without machine code of its own compiles the PTX
# of 8.0.
set(RLVR_CUDA_ARCHITECTURES "all" CACHE STRING "all, or a list such as 80;90a;100")

set(rlvr_cuda_dir ${CMAKE_CURRENT_LIST_DIR})
set(rlvr_use_cuda OFF)
if(RLVR_CUDA STREQUAL "ON")
  set(rlvr_use_cuda ON)
elseif(RLVR_CUDA STREQUAL "AUTO")
  include(CheckLanguage)
  check_language(CUDA)
  find_library(RLVR_CUDA_DRIVER cuda PATHS /usr/local/nvidia/lib64 /usr/lib/x86_64-linux-gnu)
  find_program(RLVR_NVIDIA_SMI nvidia-smi)
  if(CMAKE_CUDA_COMPILER AND (EXISTS /proc/driver/nvidia OR RLVR_CUDA_DRIVER OR RLVR_NVIDIA_SMI))
    set(rlvr_use_cuda ON)
  endif()
elseif(NOT RLVR_CUDA STREQUAL "OFF")
  message(FATAL_ERROR "RLVR_CUDA must be AUTO, ON or OFF, not '${RLVR_CUDA}'")
endif()
message(STATUS "rlvr_fast: CUDA kernels ${rlvr_use_cuda} (RLVR_CUDA=${RLVR_CUDA})")

if(NOT rlvr_use_cuda)
  target_sources(rlvr_core PRIVATE ${rlvr_cuda_dir}/no_cuda.cpp)
  return()
endif()

set(CMAKE_CUDA_ARCHITECTURES OFF)  # chosen below, by -gencode
# The wheel must import without a CUDA library.
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
enable_language(CUDA)
# CMake before 3.26 does not know nvcc's C++20 options.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
  message(FATAL_ERROR "RLVR_CUDA=ON needs nvcc 12.8 or newer (sm_100), found "
                      "${CMAKE_CUDA_COMPILER_VERSION}; set RLVR_CUDA=OFF to build without CUDA")
endif()

if(RLVR_CUDA_ARCHITECTURES STREQUAL "all")
  set(rlvr_gencode
      "SHELL:-gencode=arch=compute_80,code=[sm_80,compute_80]"
      "SHELL:-gencode=arch=compute_90a,code=sm_90a"
      "SHELL:-gencode=arch=compute_100,code=sm_100")
else()
  # A build for one machine has line numbers for profilers; they would double the size of a wheel.
  set(rlvr_gencode -lineinfo)
  foreach(arch IN LISTS RLVR_CUDA_ARCHITECTURES)
    list(APPEND rlvr_gencode "SHELL:-gencode=arch=compute_${arch},code=sm_${arch}")
  endforeach()
endif()

file(GLOB rlvr_cuda_sources CONFIGURE_DEPENDS ${rlvr_cuda_dir}/*.cu)
# A separate library, so that these options apply to nvcc alone.
add_library(rlvr_cuda OBJECT ${rlvr_cuda_sources})
target_include_directories(rlvr_cuda PRIVATE ${CMAKE_SOURCE_DIR}/csrc)
target_compile_options(rlvr_cuda PRIVATE
    ${rlvr_gencode} "SHELL:-Xptxas -v" "SHELL:-Xcompiler -Wall,-Wextra"
    $<$<BOOL:${RLVR_WERROR}>:SHELL:-Werror all-warnings>
    $<$<BOOL:${RLVR_WERROR}>:SHELL:-Xcompiler -Werror>)
target_sources(rlvr_core PRIVATE $<TARGET_OBJECTS:rlvr_cuda>)
set_target_properties(rlvr_core PROPERTIES CUDA_ARCHITECTURES OFF)  # it was made before
find_package(CUDAToolkit REQUIRED)
target_link_libraries(rlvr_core PUBLIC CUDA::cudart_static)
