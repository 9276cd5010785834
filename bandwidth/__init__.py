"""The memory bandwidth a machine should reach, the one it does reach, and why they differ."""

__version__ = "0.1.0"
