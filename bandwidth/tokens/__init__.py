"""Tokens a second: what a memory's bandwidth lets a language model write."""
