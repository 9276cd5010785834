"""The host's processors and memory: workers, memory, and the NumPy and native kernels."""
