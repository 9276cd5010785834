"""What is measured of GPUs: their memory, their links to the host, and the ways between several."""
