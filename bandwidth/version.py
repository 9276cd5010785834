"""The version, on the ground floor: records carry it, and the package shows it."""

__version__ = "0.1.0"
