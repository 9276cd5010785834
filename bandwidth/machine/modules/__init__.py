"""The memory modules: what is in the slots, how fast it runs, and on how many channels."""
