"""Each machine judged within its group, once for each target, and what is odd explained.

A target's deviation is the median of the machine's speeds, each relative to its group's median of the same id. So a
single noisy path accuses nobody, and ten paths are not ten chances to be accused. Of a case that was measured with
several numbers of threads the most threads count: one thread does not fill the memory, and hides a lost DIMM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from bandwidth.errors import BandwidthError
from bandwidth.fleet.machines import Group, Machine, Measured
from bandwidth.fleet.reading import NotRead, newest_of
from bandwidth.statistics import MAD_TO_SIGMA, median, median_absolute_deviation
from bandwidth.vocabulary import Target

# Of two machines nobody can tell which is the odd one.
FEWEST_MACHINES = 3
DEFAULT_LEAST = 0.95
# Three standard deviations of a normal distribution: one machine of 740 lies below by chance, before the share decides.
DEFAULT_MADS = 3.0
# What the larger half of a group has in common is how the group is; anything else is not told as a difference.
MAJORITY = 0.5


@dataclass(frozen=True)
class Deviation:
    """One result against its group's median: `ratio` is the speed's, so it is below 1 where the machine is slower.

    Figures are bytes per second, or nanoseconds of a latency. `mads` is the distance below the group's median in
    scaled MADs, None where all others are alike.
    """

    measured: Measured
    figure: float
    group_figure: float
    ratio: float
    mads: float | None


@dataclass(frozen=True)
class Oddity:
    """What a machine has otherwise than the larger half of its group."""

    name: str
    value: str
    group_value: str

    def __str__(self) -> str:
        return f"{self.name} {self.value} (group {self.group_value})"


@dataclass(frozen=True)
class Verdict:
    """One machine's target: its speed over the group's median, and how many scaled MADs it is below that."""

    machine: Machine
    target: str
    ratio: float
    mads: float | None
    is_flagged: bool


@dataclass(frozen=True)
class Flagged:
    """A machine that is slower than its group, or whose data was wrong (`failed`, the ids; then there is no ratio).

    `deviations` are all results of the target, the slowest first.
    """

    machine: Machine
    target: str
    ratio: float | None
    mads: float | None
    deviations: tuple[Deviation, ...]
    differs: tuple[Oddity, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotJudged:
    """A machine, or one of its targets (else empty), of which nothing can be said, and why."""

    machine: Machine
    target: str
    reason: str


@dataclass(frozen=True)
class GroupTarget:
    """One target of a group: how many results of a machine count, the spread (one scaled MAD), all verdicts."""

    target: str
    paths: int
    spread: float
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class JudgedGroup:
    """A group with its machines, and each target that could be judged."""

    group: Group
    machines: tuple[Machine, ...]
    targets: tuple[GroupTarget, ...]


@dataclass(frozen=True)
class Fleet:
    """All groups, the largest first; what is flagged, the slowest first; what could not be judged or read.

    `least` and `most_mads` are the two limits. `notes` tell of records that do not count, and how machines of one name
    were told apart.
    """

    groups: tuple[JudgedGroup, ...]
    flagged: tuple[Flagged, ...]
    not_judged: tuple[NotJudged, ...]
    not_read: tuple[NotRead, ...]
    notes: tuple[str, ...]
    least: float
    most_mads: float

    @property
    def is_judged(self) -> bool:
        """Whether anything could be judged at all."""
        return bool(self.flagged) or any(group.targets for group in self.groups)


def judge(
    machines: Iterable[Machine],
    least: float = DEFAULT_LEAST,
    most_mads: float = DEFAULT_MADS,
    *,
    not_read: Sequence[NotRead] = (),
) -> Fleet:
    """Judge machines within their groups; of several records of one machine and way of measuring the newest counts.

    A target is flagged where the machine's speed is below `least` (a share) of its group's median and also more than
    `most_mads` scaled MADs below. Raises BandwidthError where there is no machine.
    """
    newest, notes = newest_of(machines)
    if not newest:
        reason = f"{not_read[0].source}: {not_read[0].reason}" if not_read else "name records, or a folder with records"
        raise BandwidthError("no readable record", reason)
    notes += _unnamed_notes(newest)
    groups: dict[Group, list[Machine]] = {}
    for machine in newest:
        groups.setdefault(machine.group, []).append(machine)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), str(item[0])))
    judged, flagged, not_judged = [], [], []
    for group, members in ordered:
        found = _GroupJudge(members, least, most_mads)
        judged.append(JudgedGroup(group, tuple(members), tuple(found.targets)))
        flagged += found.flagged
        not_judged += found.not_judged
    flagged.sort(key=lambda one: (-inf if one.ratio is None else one.ratio, one.machine.name))
    return Fleet(tuple(judged), tuple(flagged), tuple(not_judged), tuple(not_read), tuple(notes), least, most_mads)


class _GroupJudge:
    """Judges the machines of one group."""

    def __init__(self, members: Sequence[Machine], least: float, most_mads: float) -> None:
        self._members = members
        self._least, self._most_mads = least, most_mads
        self._usual: Mapping[str, str] = {}
        self.targets: list[GroupTarget] = []
        self.flagged: list[Flagged] = [self._wrong(machine, *one) for machine in members for one in _failures(machine)]
        self.not_judged: list[NotJudged] = []
        group = members[0].group
        if not group.is_model_known:
            known = group.kind or "nothing"
            reason = f"its processor has no name, and its other facts ({known}) do not identify the model"
            self.not_judged = [NotJudged(machine, "", reason) for machine in members]
            return
        if len(members) < FEWEST_MACHINES:
            reason = f"its group has {_machines(len(members))}, and {FEWEST_MACHINES} are needed to find an outlier"
            self.not_judged = [NotJudged(machine, "", reason) for machine in members]
            return
        self._usual = _usual_setup(members)
        fit = {one.target for machine in members for one in machine.figures}
        for target in sorted(fit.union(*(machine.unfit for machine in members))):
            self._judge_target(target)

    def _judge_target(self, target: str) -> None:
        medians, mads = self._medians_of(target)
        counting = _most_threads(medians, Counter(one for machine in self._members for one in machine.figures))
        ratios: list[tuple[Machine, float]] = []
        for machine in self._members:
            speeds = [_ratio(one, machine.figures[one], medians[one]) for one in counting if one in machine.figures]
            if speeds:
                ratios.append((machine, median(speeds)))
            else:
                self.not_judged.append(NotJudged(machine, target, self._why_not(machine, target)))
        if not ratios:
            return
        centre = median([ratio for _, ratio in ratios])
        sigma = MAD_TO_SIGMA * median_absolute_deviation([ratio / centre for _, ratio in ratios])
        verdicts = tuple(self._verdict(machine, target, ratio / centre, sigma) for machine, ratio in ratios)
        self.targets.append(GroupTarget(target, len(counting), sigma, verdicts))
        self.flagged += [self._flag(verdict, medians, mads) for verdict in verdicts if verdict.is_flagged]

    def _medians_of(self, target: str) -> tuple[dict[Measured, float], dict[Measured, float]]:
        """Return the group's median figure, and one scaled MAD of the speeds, of all that enough machines have."""
        figures: dict[Measured, list[float]] = {}
        for machine in self._members:
            for one, figure in machine.figures.items():
                if one.target == target:
                    figures.setdefault(one, []).append(figure)
        common = {one: values for one, values in figures.items() if len(values) >= FEWEST_MACHINES}
        medians = {one: median(values) for one, values in common.items()}
        mads = {
            one: MAD_TO_SIGMA * median_absolute_deviation([_ratio(one, value, medians[one]) for value in values])
            for one, values in common.items()
        }
        return medians, mads

    def _verdict(self, machine: Machine, target: str, ratio: float, sigma: float) -> Verdict:
        is_flagged = ratio < self._least and (1 - ratio) > self._most_mads * sigma
        return Verdict(machine, target, ratio, (1 - ratio) / sigma if sigma else None, is_flagged)

    def _flag(self, verdict: Verdict, medians: Mapping[Measured, float], mads: Mapping[Measured, float]) -> Flagged:
        machine = verdict.machine
        own = [one for one in machine.figures if one in medians]
        found = sorted((_deviation(one, machine, medians, mads) for one in own), key=lambda one: one.ratio)
        differs = _differences(machine, self._usual)
        return Flagged(machine, verdict.target, verdict.ratio, verdict.mads, tuple(found), differs)

    def _wrong(self, machine: Machine, target: str, ids: tuple[str, ...]) -> Flagged:
        return Flagged(machine, target, None, None, (), _differences(machine, _usual_setup(self._members)), ids)

    def _why_not(self, machine: Machine, target: str) -> str:
        having = sum(any(one.target == target for one in other.figures) for other in self._members)
        if target in machine.unfit:
            return machine.unfit[target]
        if any(one.target == target for one in machine.figures):
            if having < FEWEST_MACHINES:
                return f"of its group {_machines(having)} can be compared, and {FEWEST_MACHINES} are needed"
            return "no other machine of its group has the same results: other threads, kernels or engines"
        others = f"{having} of the {len(self._members)} machines of its group"
        return f"{Target.parse(target).words} was not measured, but {others} have it"


def _unnamed_notes(machines: Sequence[Machine]) -> list[str]:
    """Return a note for each kind of unnamed processor that is judged: the others are not, with the reason."""
    kinds = Counter(one.group.kind for one in machines if not one.group.cpu_model and one.group.is_model_known)
    return [
        f"{_machines(count)} with an unnamed processor, treated as one model by their other facts "
        f"({kind}). Check that they are one model."
        for kind, count in kinds.items()
    ]


def _failures(machine: Machine) -> list[tuple[str, tuple[str, ...]]]:
    targets = dict.fromkeys(target for target, _ in machine.failed)
    return [(target, tuple(case_id for own, case_id in machine.failed if own == target)) for target in targets]


def _most_threads(medians: Mapping[Measured, float], counts: Mapping[Measured, int]) -> list[Measured]:
    """Return, of what differs in threads only, that with the most threads which half of those that have any have."""
    families: dict[tuple[object, ...], list[Measured]] = {}
    for one in medians:
        families.setdefault((one.path, one.engine, one.rest), []).append(one)
    found = []
    for family in families.values():
        most = max(counts[one] for one in family)
        usual = [one for one in family if counts[one] > most * MAJORITY]
        found.append(max(usual, key=lambda one: one.threads))
    return found


def _ratio(one: Measured, figure: float, group_figure: float) -> float:
    """Return the speed over the group's: below 1 is slower, of a latency too."""
    return group_figure / figure if one.is_latency else figure / group_figure


def _deviation(
    one: Measured, machine: Machine, medians: Mapping[Measured, float], mads: Mapping[Measured, float]
) -> Deviation:
    ratio = _ratio(one, machine.figures[one], medians[one])
    return Deviation(one, machine.figures[one], medians[one], ratio, (1 - ratio) / mads[one] if mads[one] else None)


def _usual_setup(members: Sequence[Machine]) -> dict[str, str]:
    """Return what more than half of the machines that tell it have in common, by name."""
    found = {}
    for name in dict.fromkeys(name for machine in members for name in machine.setup):
        values = Counter(machine.setup[name] for machine in members if name in machine.setup)
        value, count = values.most_common(1)[0]
        if count > values.total() * MAJORITY:
            found[name] = value
    return found


def _differences(machine: Machine, usual: Mapping[str, str]) -> tuple[Oddity, ...]:
    own = machine.setup
    return tuple(Oddity(name, own[name], value) for name, value in usual.items() if name in own and own[name] != value)


def _machines(count: int) -> str:
    return "1 machine" if count == 1 else f"{count} machines"
