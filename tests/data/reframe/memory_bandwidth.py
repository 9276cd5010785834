"""The memory bandwidth of a node, for ReFrame: every result of `bandwidth measure` becomes a figure of the test."""

# ruff: noqa: F821, RUF012 - ReFrame gives these names to the body of a test

import json
from pathlib import Path

import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class MemoryBandwidth(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "bandwidth"
    options = variable(str, value="host --budget 15s")
    exclusive_access = True
    num_tasks_per_node = 1
    time_limit = "5m"

    @run_before("run")
    def set_options(self):
        self.executable_opts = ["measure", *self.options.split(), "--quiet", "--save", "record.json"]

    @run_before("sanity")
    def read_record(self):
        path = Path(self.stagedir) / "record.json"
        self.results = json.loads(path.read_text())["results"] if path.exists() else []

    @sanity_function
    def all_data_is_right(self):
        return sn.assert_true(self.results and all(one["verified"] for one in self.results), "see record.json")

    @run_before("performance")
    def take_figures(self):
        rates = {one["id"]: one["median_bytes_per_s"] for one in self.results if one["median_bytes_per_s"]}
        self.perf_variables = {
            name.replace("/", "_"): sn.make_performance_function(sn.defer(rate / 1e9), "GB/s")
            for name, rate in rates.items()
        }
