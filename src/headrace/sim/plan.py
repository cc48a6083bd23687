"""The plan of a run: settings of the cluster, what goes wrong how often, what clients do.

Sizes are small and times short, so that much happens in a minute; ratios are kept where a rule
rests on them: request ids are kept longer than a client's deadline, and a lease is shorter than a
freeze.

Each seed draws its own mix, since a setting that hides one fault shows another. A node with a small
limit of stored, unreported bytes holds syncs back and then reports many segments at once; clients
that do much DDL often send rows of an old version.
"""

import random
from dataclasses import dataclass, field

from headrace.app.wiring import RoleSettings
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.settings import DataServiceSettings
from headrace.masterservice.settings import MasterServiceSettings
from headrace.proxy.settings import ProxySettings
from headrace.sequencer.settings import SequencerSettings
from headrace.sim.chaos import ChaosPlan
from headrace.sim.faults import Chances
from headrace.sim.workload import WorkloadPlan

_MIX = 0x5EED  # the mix is drawn apart from the run, so that a new knob leaves old runs alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run; times in virtual seconds."""

    rough_s: float = 40.0
    calm_s: float = 180.0
    proxies: int = 2
    data_nodes: int = 2
    point_kills: int = 3  # at most, at named places of the code
    chances: Chances = field(default_factory=Chances)
    chaos: ChaosPlan = field(default_factory=ChaosPlan)
    workload: WorkloadPlan = field(default_factory=WorkloadPlan)
    replays: bool = False  # whether all journals are replayed at the end
    settings: RoleSettings = field(default_factory=lambda: sim_settings(DataNodeSettings()))


def plan_of(seed: int) -> Plan:
    """The mix of a seed."""
    draw = random.Random(seed ^ _MIX)
    trouble = draw.choice((1, 1, 4))
    return Plan(
        point_kills=draw.choice((2, 4, 8)),
        chances=Chances(
            killed_at_point=draw.choice((0.02, 0.02, 0.1)),
            put_failed=0.02 * trouble,
            put_lost_answer=0.02 * trouble,
            slow=0.05 * trouble,
        ),
        chaos=ChaosPlan(freeze_chance=draw.choice((0.2, 0.4, 0.6))),
        workload=WorkloadPlan(
            collections=draw.choice((1, 2, 3)),
            shards=draw.choice((1, 2, 2)),
            ddl_share=draw.choice((0.03, 0.08, 0.25)),
        ),
        settings=sim_settings(
            DataNodeSettings(
                sync_bytes=2500,
                sync_age_s=3.0,
                step_s=0.25,
                report_segments_most=draw.choice((1, 1, 100)),
                report_timeout_s=4.0,
                fetch_bytes_least=1000,
                fetch_bytes_most=draw.choice((4000, 200_000)),
                budget_bytes=draw.choice((40_000, 1_000_000)),
                unreported_bytes_most=draw.choice((1500, 1_000_000)),
                idle_report_s=5.0,
            )
        ),
    )


def sim_settings(data_node: DataNodeSettings) -> RoleSettings:
    """Two pchannels, segments of some kilobytes, a manifest every two seconds."""
    return RoleSettings(
        master_service=MasterServiceSettings(pchannels=2, tombstone_sweep_s=10.0),
        data_service=DataServiceSettings(
            grace_s=8.0,
            collect_interval_s=4.0,
            truncate_interval_s=3.0,
            window_s=150.0,
            bundle_size=4,
            bundle_interval_s=5.0,
            manifest_interval_s=2.0,
            cool_down_s=5.0,
        ),
        data_node=data_node,
        proxy=ProxySettings(deadline_s_max=20.0),
        sequencer=SequencerSettings(
            segment_bytes_max=4000,
            segment_age_s=10.0,
            segment_idle_s=4.0,
            tick_idle_s=3.0,
            digest_bytes=20_000,
            window_keyed_s=120,
            window_other_s=60,
        ),
    )
