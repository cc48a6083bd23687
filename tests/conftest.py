"""How hypothesis runs here.

A busy machine is no failure: neither a case's time nor that of making cases is judged. What a
search found is kept nowhere, so a run depends on the tree alone; a failure prints what repeats it.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "headrace", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("headrace")
