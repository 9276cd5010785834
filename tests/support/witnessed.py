"""What threads would have shown of their cores in blocks that a test describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bandwidth.results import Observed

NEAR_NS, FAR_NS = 93.0, 291.0


def looks(
    hops_ns: Sequence[float],
    cores: Sequence[float],
    *,
    core_share: float | Sequence[float] = 1.0,
    running_share: float | Sequence[float] = 1.0,
) -> dict[str, Observed]:
    """Return what is observed of blocks, a value each: the same before and behind, but for a little noise."""
    blocks = len(hops_ns)
    series = {
        "core_to_core_ns": [ns * (1 + 0.01 * (at % 4)) for at, ns in enumerate(hops_ns)],
        "core_to_core_behind_ns": [ns * (1 + 0.01 * (at % 5)) for at, ns in enumerate(hops_ns)],
        "effective_cores": [count * (1 - 0.004 * (at % 4)) for at, count in enumerate(cores)],
        "effective_cores_behind": [count * (1 - 0.004 * (at % 5)) for at, count in enumerate(cores)],
        "core_share": _each(core_share, blocks),
        "running_share": _each(running_share, blocks),
    }
    return {
        name: Observed(sorted(values)[blocks // 2], min(values), max(values), tuple(values))
        for name, values in series.items()
    }


def one_look(state: Mapping[str, float], number: int) -> dict[str, float]:
    """Return what a block's threads show: `hops_ns`, `cores` and shares as the state has them, with a little noise."""
    seen = looks(
        [state.get("hops_ns", NEAR_NS)] * (number + 1),
        [state.get("cores", 2.0)] * (number + 1),
        core_share=state.get("core_share", 1.0),
        running_share=state.get("running_share", 1.0),
    )
    return {name: one.values[number] for name, one in seen.items()}


def _each(value: float | Sequence[float], blocks: int) -> list[float]:
    return [value * (1 - 1e-4 * (at % 3)) for at in range(blocks)] if isinstance(value, float) else list(value)
