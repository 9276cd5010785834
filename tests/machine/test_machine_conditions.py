from __future__ import annotations

import pytest

from bandwidth.machine.conditions import read_conditions
from bandwidth.machine.reader import CapturedReader

CPU = "/sys/devices/system/cpu"
POWER = "/sys/class/power_supply"


def test_conditions_of_a_linux_server():
    files = {
        "/proc/loadavg": "1.50 1.00 0.50 3/812 4297\n",
        "/proc/stat": "cpu  100 1 20 1000 5 6 7 8 50 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n",
        "/proc/pressure/cpu": "some avg10=2.50 avg60=0.04 avg300=0.01 total=21\nfull avg10=0.00 total=0\n",
        "/proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 total=9\n",
        "/proc/self/cgroup": "0::/job/step\n",
        "/sys/fs/cgroup/job/step/cpu.stat": "usage_usec 9\nnr_periods 4\nnr_throttled 0\nthrottled_usec 0\n",
        "/sys/fs/cgroup/job/cpu.stat": "usage_usec 9\nnr_periods 4\nnr_throttled 3\nthrottled_usec 1500\n",
        "/sys/fs/cgroup/cpu.stat": "usage_usec 99999\nuser_usec 1\n",
        f"{CPU}/cpu0/thermal_throttle/package_throttle_count": "3\n",
        f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "70\n",
        f"{CPU}/cpu1/thermal_throttle/package_throttle_count": "4\n",
    }
    for policy in range(40):
        files[f"{CPU}/cpufreq/policy{policy}/scaling_governor"] = "powersave\n" if policy else "performance\n"
        files[f"{CPU}/cpufreq/policy{policy}/energy_performance_preference"] = "balance_power\n"
        files[f"{CPU}/cpufreq/policy{policy}/scaling_cur_freq"] = f"{800000 + 100000 * (policy % 2)}\n"
    assert read_conditions(CapturedReader(files)) == {
        "load_average_1min": 1.5,
        "running_processes": 3,
        "steal_ticks": 8,
        "idle_ticks": 1005,
        "total_ticks": 1147,
        "cpu_pressure_percent": 2.5,
        "cpu_stall_us": 21,
        "memory_pressure_percent": 0.0,
        "memory_stall_us": 0,
        "governors": ["performance", "powersave"],
        "energy_preference": ["balance_power"],
        "clock_min_mhz": 800.0,
        "clock_max_mhz": 900.0,
        "throttle_count": 7,
        "throttled_periods": 3,
        "throttled_us": 1500,
    }


@pytest.mark.parametrize("mounts", [("cpu",), ("cpu,cpuacct",), ("cpu", "cpu,cpuacct")])
def test_throttling_by_version_1_counts_once_where_one_mount_is_a_link(mounts):
    files = {"/proc/self/cgroup": "3:cpu,cpuacct:/pod\n0::/\n"}
    for mount in mounts:
        files[f"/sys/fs/cgroup/{mount}/pod/cpu.stat"] = "nr_periods 9\nnr_throttled 2\nthrottled_time 5000999\n"
        files[f"/sys/fs/cgroup/{mount}/cpu.stat"] = "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n"
    assert read_conditions(CapturedReader(files)) == {"throttled_periods": 2, "throttled_us": 5000}


def test_a_container_that_may_not_read_the_pressure():
    files = {
        "/proc/self/cgroup": "0::/../..\n",
        "/proc/pressure/cpu": "",
        "/sys/fs/cgroup/cpu.stat": "nr_throttled x\n",
    }
    assert read_conditions(CapturedReader(files)) == {}


def supply(name, **files):
    return {f"{POWER}/{name}/{key}": f"{text}\n" for key, text in files.items()}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**supply("AC", type="Mains", online=1), **supply("BAT0", type="Battery", status="Discharging")}, False),
        ({**supply("AC", type="Mains", online=0), **supply("BAT0", type="Battery", status="Discharging")}, True),
        (supply("BAT0", type="Battery", status="Discharging"), True),
        (supply("BAT0", type="Battery", status="Full"), False),
        (supply("mouse", type="Battery", status="Discharging", scope="Device"), None),
        (supply("AC", type="Mains", online=1), False),
        ({}, None),
    ],
)
def test_battery(files, expected):
    assert read_conditions(CapturedReader(files)).get("on_battery") is expected


def test_other_systems_and_garbage():
    reader = CapturedReader({}, system="Darwin", load_average=2.0, on_battery=True)
    assert read_conditions(reader) == {"load_average_1min": 2.0, "on_battery": True}
    garbage = dict.fromkeys(("/proc/loadavg", "/proc/stat", "/proc/pressure/cpu", f"{CPU}/cpufreq/policy0/a"), "x")
    assert read_conditions(CapturedReader(garbage)) == {}
    assert read_conditions(CapturedReader({"/proc/stat": "cpu 1 2 3 4 5 6 7 x\n"})) == {}
    assert read_conditions(CapturedReader({"/proc/stat": "cpu 1 2 3 4\n"})) == {}
