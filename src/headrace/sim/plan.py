"""Settings of a simulated cluster: small sizes and short times, so that much happens in a minute.

**Owns** the values. **Does not own** their meaning (the roles' settings). Ratios are kept where a
rule rests on them: the window is longer than a client's deadline, a lease is shorter than a freeze.
"""

from headrace.app.wiring import RoleSettings
from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.settings import DataServiceSettings
from headrace.masterservice.settings import MasterServiceSettings
from headrace.proxy.settings import ProxySettings
from headrace.sequencer.settings import SequencerSettings


def sim_settings() -> RoleSettings:
    """Two pchannels, segments of some kilobytes, syncs every few seconds."""
    return RoleSettings(
        master_service=MasterServiceSettings(pchannels=2, tombstone_sweep_s=10.0),
        data_service=DataServiceSettings(
            grace_s=8.0,
            collect_interval_s=4.0,
            trim_interval_s=3.0,
            window_s=150.0,
            bundle_size=4,
            bundle_interval_s=5.0,
            list_interval_s=2.0,
            cool_down_s=5.0,
        ),
        data_node=DataNodeSettings(
            sync_bytes=2500,
            sync_age_s=3.0,
            step_s=0.25,
            report_segments_most=1,
            report_timeout_s=4.0,
            fetch_bytes_least=1000,
            fetch_bytes_most=4000,
            budget_bytes=40_000,
            idle_report_s=5.0,
        ),
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
