"""Many machines and the same measurement: each judged within its group, the odd one found and explained."""

from bandwidth.fleet.judging import Fleet, judge
from bandwidth.fleet.machines import Machine, machine_of

__all__ = ["Fleet", "Machine", "judge", "machine_of"]
