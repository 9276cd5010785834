"""What is in this machine: processor, caches, memory, modules, limits, load; each fact with where it came from."""
