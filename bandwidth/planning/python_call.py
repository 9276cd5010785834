"""The options of a measurement as the arguments of a Python function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from bandwidth.planning.option import GIVEN, options_of
from bandwidth.planning.options import ALL_TARGETS, TARGET, CallOptions, MeasureOptions

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


def called_with(
    kind: Callable[Given, CallOptions],
) -> Callable[[Callable[[MeasureOptions], Returned]], Callable[Given, Returned]]:
    """Return what makes of a function of options one that takes them as arguments: a target, and names of options.

    The function raises TypeError for a name that is no option, UsageError for what no machine could serve. Its
    parameters are those of `kind`, for type checkers and for `help`.
    """

    def decorated(work: Callable[[MeasureOptions], Returned]) -> Callable[Given, Returned]:
        signature = _signature(kind, inspect.signature(work).return_annotation)

        @wraps(work)
        def call(*arguments: Given.args, **options: Given.kwargs) -> Returned:
            try:
                given = signature.bind(*arguments, **options).arguments
            except TypeError as error:
                raise TypeError(f"{work.__name__}() {error}") from None
            return work(MeasureOptions(memory_source="memory", **given))

        call.__signature__ = signature  # type: ignore[attr-defined]  # what help() shows
        return call

    return decorated


def _signature(kind: Any, returns: str) -> inspect.Signature:
    target = inspect.Parameter(TARGET, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=ALL_TARGETS, annotation="str")
    parameters = [target]
    for one, _ in options_of(kind):
        taken = GIVEN.get(str(one.type))
        text = one.type if taken is None else f"{taken} | Sequence[{taken}] | None"
        parameters.append(
            inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=text)
        )
    return inspect.Signature(parameters, return_annotation=returns)
