"""NVIDIA's GPUs and the links to them, through CuPy."""
