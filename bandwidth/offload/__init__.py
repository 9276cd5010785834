"""Is it worth moving the data to a GPU: times on host and device, and where they are equal."""
