"""A call knows how long it has."""

from support.world.clock import ManualClock

from headrace.proxy.call import ClientCall


async def test_a_call_knows_how_long_it_has() -> None:
    clock = ManualClock()
    call = ClientCall(method="Insert", clock=clock, deadline=4.0)
    assert call.remaining_s == 4
    await clock.advance(5)
    assert call.remaining_s == 0
