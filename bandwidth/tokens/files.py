"""Which reader a model's file takes. Nothing of it is ever run, fetched or unpickled."""

from __future__ import annotations

from pathlib import Path

from bandwidth.errors import BandwidthError
from bandwidth.text_files import check_plain
from bandwidth.tokens.gguf import MAGIC, read_gguf
from bandwidth.tokens.model import LanguageModel
from bandwidth.tokens.safetensors import INDEX_SUFFIX, read_safetensors

SUFFIXES = (".gguf", ".safetensors", INDEX_SUFFIX)
# Formats that run code as they are read, or that hold no weights.
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npz")
ADDRESSES = ("http://", "https://", "hf://", "s3://", "ollama://")
GIVE = "use a .gguf file, a .safetensors file or its model.safetensors.index.json"


def is_path(text: str) -> bool:
    """Return whether a text is meant as a file: it is there, or is written as one."""
    lowered = text.lower()
    if lowered.startswith(ADDRESSES) or lowered.endswith((*SUFFIXES, *PICKLED)):
        return True
    try:
        return Path(text).exists() or text.startswith(("/", "./", "../", "~"))
    except (OSError, ValueError):
        return False


def read_model(path: Path) -> LanguageModel:
    """Return the model of a file. Raises BandwidthError that says what to give instead for any other."""
    name = str(path)
    if name.lower().startswith(tuple(prefix.replace("//", "/") for prefix in ADDRESSES)):
        raise BandwidthError(f"{name} is a URL, and nothing is downloaded", f"download it first; {GIVE}")
    if path.suffix.lower() in PICKLED:
        raise BandwidthError(f"{path} is a pickle file, which is never opened", GIVE)
    if path.is_dir():
        index = next(iter(sorted(path.glob(f"*{INDEX_SUFFIX}"))), None)
        hint = f"use {index}" if index is not None else GIVE
        raise BandwidthError(f"{path} is a folder", hint)
    if not path.exists():
        raise BandwidthError(f"{path} does not exist", "check the name")
    check_plain(path)
    if path.name.endswith((".safetensors", INDEX_SUFFIX)):
        return read_safetensors(path)
    if path.suffix.lower() == ".gguf" or _begins_with(path, MAGIC):
        return read_gguf(path)
    raise BandwidthError(f"{path} is not a supported model file", GIVE)


def _begins_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise BandwidthError(f"{path} cannot be read: {error.strerror}", "check the file") from error
