"""Devices of any maker, and processors, through OpenCL."""
