// Stands in for the CUDA kernels where they are not built.
