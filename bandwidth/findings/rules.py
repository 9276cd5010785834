"""Every rule, in the order in which findings are printed; each is one function of a module by its theme.

A rule looks at a whole record and yields what it finds, with the id of the result it is about. A finding says what was
seen, the limit that it crossed, and what to try; one that is informative says that it is normal.
"""

from __future__ import annotations

from dataclasses import replace

from bandwidth.findings import gpus, machine_state, nodes, noise, normal_range, setup, stores, threads, validity
from bandwidth.findings.comparable import only_comparable
from bandwidth.findings.reading import HOST, Rule, kind_of
from bandwidth.results import Examination, Finding, Record


def examine(record: Record) -> Examination:
    """Return all findings of a record, in the order of RULES; none where nothing was measured."""
    if not record.results:
        return Examination({}, ())
    by_id: dict[str, tuple[Finding, ...]] = {}
    general: tuple[Finding, ...] = ()
    of_host = replace(record, results=tuple(result for result in record.results if kind_of(result) == HOST))
    # What compares results sees those alone that may be compared: noise is not explained by how memory works.
    seen = {False: (of_host, record), True: (only_comparable(of_host), only_comparable(record))}
    for rule in RULES if of_host.results else [rule for rule in RULES if rule in OF_ALL]:
        for case_id, finding in rule(seen[rule in COMPARING][rule in OF_ALL]):
            if case_id is None:
                general += (finding,)
            else:
                by_id[case_id] = (*by_id.get(case_id, ()), finding)
    return Examination(by_id, general)


# In the order in which they are printed: what invalidates a figure first, what colours it after, what explains it last.
RULES: tuple[Rule, ...] = (
    validity.verification_failed,
    validity.above_theory,
    validity.below_the_size_of_memory,
    validity.faster_at_half_the_size,
    validity.caches_unknown,
    nodes.placed_elsewhere,
    validity.unstable,
    noise.two_rates,
    validity.last_block_unchecked,
    validity.too_few_samples,
    validity.start_skew,
    validity.outliers,
    machine_state.clock_moved,
    machine_state.throttled_by_heat,
    machine_state.busy,
    machine_state.waited_for_memory,
    noise.nothing_concluded,
    machine_state.fewer_cpus_allowed,
    machine_state.held_by_quota,
    machine_state.power_settings,
    machine_state.small_pages,
    validity.not_pinned,
    nodes.placement_not_verified,
    setup.set_up,
    setup.theory_unknown,
    normal_range.below_normal,
    gpus.below_normal,
    gpus.link_below_its_maximum,
    gpus.held_down,
    gpus.shared_with_others,
    gpus.split_up,
    gpus.confidential,
    gpus.links_share_a_way,
    gpus.pageable_beside_pinned,
    nodes.nodes_unlike,
    nodes.memory_only_nodes,
    nodes.remote_memory,
    stores.zeros_shortcut,
    stores.no_zeros_shortcut,
    stores.write_allocate,
    stores.numpy_ordinary_stores,
    stores.numpy_copy,
    stores.numpy_itself,
    threads.one_thread,
    threads.knee_of_threads,
    threads.threads_that_cost,
    threads.siblings_used,
    threads.kinds_of_cores_mixed,
)

# These speak of GPUs and their links too; all others are about the host's processor and memory.
OF_ALL: frozenset[Rule] = frozenset(
    {
        validity.verification_failed,
        validity.above_theory,
        validity.below_the_size_of_memory,
        validity.unstable,
        validity.last_block_unchecked,
        validity.too_few_samples,
        validity.start_skew,
        validity.outliers,
        noise.two_rates,
        machine_state.busy,
        machine_state.waited_for_memory,
        noise.nothing_concluded,
        gpus.below_normal,
        gpus.link_below_its_maximum,
        gpus.held_down,
        gpus.shared_with_others,
        gpus.split_up,
        gpus.confidential,
        gpus.links_share_a_way,
        gpus.pageable_beside_pinned,
    }
)

# These compare results with each other, or with what is normal: none of them sees a result that noise took part in.
COMPARING: frozenset[Rule] = frozenset(
    {
        validity.faster_at_half_the_size,
        normal_range.below_normal,
        gpus.below_normal,
        gpus.links_share_a_way,
        gpus.pageable_beside_pinned,
        nodes.nodes_unlike,
        nodes.remote_memory,
        stores.zeros_shortcut,
        stores.no_zeros_shortcut,
        stores.write_allocate,
        stores.numpy_ordinary_stores,
        stores.numpy_copy,
        stores.numpy_itself,
        threads.one_thread,
        threads.knee_of_threads,
        threads.threads_that_cost,
        threads.siblings_used,
    }
)
