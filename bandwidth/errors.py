"""The one family of errors that a user may see; anything else is a bug."""

from __future__ import annotations

from typing import Any


class BandwidthError(Exception):
    """Something a user can put right: a SPEC, a record or a spec file that cannot be read, a check that failed.

    `message` says what was wrong and where, `hint` what to do; both are one line each.
    `exit_code` is what the command line returns for it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(BandwidthError):
    """An option's value, or options that do not go together."""

    exit_code = 2


class AmbiguousName(BandwidthError):  # noqa: N818 - a name that can be listed is hardly an error
    """A name that stands for several products of the catalog, or says too little to stand for one.

    `candidates` are their entries; `readings` the peak of each one's memory, where `theory` was asked; `unlisted`
    how many more there are. The message lists them.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        candidates: tuple[Any, ...] = (),
        readings: tuple[Any, ...] = (),
        unlisted: int = 0,
    ) -> None:
        super().__init__(message, hint)
        self.candidates = candidates
        self.readings = readings
        self.unlisted = unlisted


class SharedMemoryError(BandwidthError):
    """A GPU that has no memory of its own: its processor's is asked for."""


class HardwareError(BandwidthError):
    """Hardware that was asked for is not there."""

    exit_code = 3


class InterruptError(BandwidthError):
    """The user ended it (Ctrl-C); what there was by then has been printed and saved."""

    exit_code = 130


class UnstableError(BandwidthError):
    """It cannot be judged: the machine was too unsteady and the user strict about it, or nothing could be measured."""

    exit_code = 4
