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


WEATHER = {
    "any": any_weather,
    "eager collector": eager_collector,
}
