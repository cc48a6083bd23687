"""Plans of simulated runs for mutants whose rule is needed only in rare weather."""

from dataclasses import replace

from headrace.sim.plan import Plan, plan_of


def plan_for(weather: str, seed: int) -> Plan:
    """The plan of a seed: as it is drawn, or with what makes one kind of trouble frequent."""
    return WEATHER[weather](plan_of(seed))


def any_weather(plan: Plan) -> Plan:
    """What the seed draws."""
    return plan


def eager_collector(plan: Plan) -> Plan:
    """Garbage is collected twice a second, and almost at once."""
    eager = replace(plan.settings.data_service, grace_s=1.0, collect_interval_s=0.5)
    return replace(plan, settings=replace(plan.settings, data_service=eager))


def partitions(plan: Plan) -> Plan:
    """One collection with several partitions, which come and go."""
    clients = replace(plan.workload, partitions=2, collections=1, ddl_share=0.1)
    return replace(plan, workload=clients)


def drops(plan: Plan) -> Plan:
    """The same, with an eager collector: much is dropped, and its files go at once."""
    return eager_collector(partitions(plan))


WEATHER = {
    "any": any_weather,
    "eager collector": eager_collector,
    "partitions": partitions,
    "drops": drops,
}
