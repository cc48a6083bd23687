"""Assignment: which node should watch which vchannel.

Wanted, in this order: every vchannel has a node; nothing moves without need; a pchannel's vchannels
are with one node (it reads the pchannel once); nodes watch equally many, vchannels under way
counted where they go. So homeless vchannels are placed pchannel by pchannel, first where the node
of the same name is back, then where the pchannel is, then on the least loaded; and balance moves,
few at a time, the pchannel that evens out the two most unequal nodes best, splitting one only when
the difference is large.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.model.channel import PChannel, VChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A vchannel as the assignment sees it. `node` is where it is or goes (None = nowhere),
    `last_node` where it was before, `movable` whether balance may move it now."""

    vchannel: VChannel
    pchannel: PChannel
    node: str | None
    last_node: str = ""
    movable: bool = True


def place(channels: Iterable[Placed], nodes: Sequence[str]) -> dict[VChannel, str]:
    """A node for each vchannel that has none; nothing when there are no nodes."""
    if not nodes:
        return {}
    everything = list(channels)
    loads = Counter(dict.fromkeys(nodes, 0))
    homes: dict[PChannel, Counter[str]] = {}
    homeless: dict[PChannel, list[Placed]] = {}
    for c in everything:
        if c.node is None:
            homeless.setdefault(c.pchannel, []).append(c)
        elif c.node in loads:
            loads[c.node] += 1
            homes.setdefault(c.pchannel, Counter())[c.node] += 1
    room = -(-len(everything) // len(nodes))  # of an even share, rounded up
    chosen: dict[VChannel, str] = {}
    for pchannel in sorted(homeless, key=lambda p: (-len(homeless[p]), p)):
        group = homeless[pchannel]
        node = _home(group, loads, homes.get(pchannel, Counter()), room)
        loads[node] += len(group)
        for c in sorted(group, key=lambda c: c.vchannel):
            chosen[c.vchannel] = node
    return chosen


def _home(group: Sequence[Placed], loads: Counter[str], there: Counter[str], room: int) -> str:
    back = Counter(c.last_node for c in group if c.last_node in loads)
    for assignment in (back, there):
        for node in sorted(assignment, key=lambda n: (-assignment[n], loads[n], n)):
            if loads[node] + len(group) <= room:
                return node
    least = min(loads, key=lambda n: (loads[n], n))
    if there:
        # A pchannel stays in one place as long as that place is not far above the others.
        node = min(there, key=lambda n: (loads[n], n))
        if loads[node] <= loads[least] + len(group):
            return node
    return least


def balance(
    channels: Iterable[Placed], nodes: Sequence[str], *, moves: int, split_difference: int
) -> dict[VChannel, str]:
    """At most `moves` moves (one pchannel's worth if that is more) that even out the load.

    Every returned move makes the larger of two loads smaller, so repeating it comes to an end.
    """
    if moves < 1 or len(nodes) < 2:
        return {}
    held: dict[str, list[Placed]] = {n: [] for n in nodes}
    for c in channels:
        if c.node in held:
            held[c.node].append(c)
    loads = {n: len(held[n]) for n in nodes}
    chosen: dict[VChannel, str] = {}
    while len(chosen) < moves:
        most = max(loads, key=lambda n: (loads[n], n))
        least = min(loads, key=lambda n: (loads[n], n))
        group = _to_move(held[most], loads[most] - loads[least], split_difference)
        if not group or (chosen and len(chosen) + len(group) > moves):
            return chosen
        for c in group:
            chosen[c.vchannel] = least
            held[most].remove(c)
        loads[most] -= len(group)
        loads[least] += len(group)
    return chosen


def _to_move(held: Sequence[Placed], difference: int, split_difference: int) -> list[Placed]:
    """The whole pchannel that evens out best, else (a large difference) half of it from one."""
    if difference < 2:
        return []
    groups: dict[PChannel, list[Placed]] = {}
    for c in sorted(held, key=lambda c: c.vchannel):
        groups.setdefault(c.pchannel, []).append(c)
    whole = {p: g for p, g in groups.items() if len(g) < difference and _all_movable(g)}
    if whole:
        evens = {p: min(len(g), difference - len(g)) for p, g in whole.items()}
        # Of those that even out the same, the smallest: as few moves as can be.
        best = max(sorted(whole), key=lambda p: (evens[p], -len(whole[p])))
        return whole[best]
    if difference <= split_difference:
        return []
    parts = {p: [c for c in g if c.movable] for p, g in groups.items()}
    largest = max(sorted(parts), key=lambda p: len(parts[p]), default="")
    return parts[largest][: difference // 2] if largest else []


def _all_movable(group: Iterable[Placed]) -> bool:
    return all(c.movable for c in group)
