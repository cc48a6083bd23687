"""Which node should watch what."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.dataservice.placement.assignment import Placed, balance, place


def placed(name: str, node: str | None, pchannel: str = "", **more: object) -> Placed:
    return Placed(vchannel=name, pchannel=pchannel or name, node=node, **more)  # type: ignore[arg-type]


def test_nobody_is_placed_without_nodes() -> None:
    assert place([placed("a", None)], []) == {}


def test_homeless_vchannels_are_spread_evenly() -> None:
    chosen = place([placed(n, None) for n in "abcd"], ["x", "y"])
    assert sorted(chosen.values()) == ["x", "x", "y", "y"]


def test_a_pchannel_goes_to_one_node_as_a_whole() -> None:
    channels = [placed("a1", None, "a"), placed("a2", None, "a"), placed("b1", None, "b")]
    chosen = place(channels, ["x", "y"])
    assert chosen["a1"] == chosen["a2"] != chosen["b1"]


def test_a_new_vchannel_joins_its_pchannel_where_there_is_room() -> None:
    channels = [placed("a1", "x", "a"), placed("b1", "y", "b"), placed("b2", None, "b")]
    assert place(channels, ["x", "y"]) == {"b2": "y"}


def test_what_a_node_held_before_goes_back_to_it() -> None:
    channels = [placed("a", None, last_node="y"), placed("b", None, last_node="x")]
    assert place(channels, ["x", "y"]) == {"a": "y", "b": "x"}


def test_what_has_a_node_stays() -> None:
    channels = [placed("a", "x"), placed("b", "x"), placed("c", "x")]
    assert place(channels, ["x", "y"]) == {}


def test_balance_moves_the_pchannel_that_evens_out_best() -> None:
    channels = [placed("a", "x"), placed("b", "x"), placed("c", "x"), placed("d", "x")]
    moves = balance(channels, ["x", "y"], moves=10, split_difference=4)
    assert len(moves) == 2 and set(moves.values()) == {"y"}


def test_balance_counts_moves_under_way_and_stops_at_its_limit() -> None:
    channels = [placed(n, "x") for n in "abcdefgh"]
    assert len(balance(channels, ["x", "y"], moves=2, split_difference=4)) == 2
    assert balance(channels, ["x", "y"], moves=0, split_difference=4) == {}


def test_balance_leaves_alone_what_just_moved() -> None:
    channels = [placed("a", "x", movable=False), placed("b", "x", movable=False)]
    assert balance(channels, ["x", "y"], moves=4, split_difference=4) == {}


def test_a_pchannel_is_split_only_for_a_large_difference() -> None:
    three = [placed(f"a{n}", "x", "a") for n in range(3)]
    assert balance(three, ["x", "y"], moves=9, split_difference=4) == {}
    six = [placed(f"a{n}", "x", "a") for n in range(6)]
    assert len(balance(six, ["x", "y"], moves=9, split_difference=4)) == 3


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["x", "y", "z", "gone", None]))),
    st.integers(1, 5),
)
def test_repeated_balance_comes_to_an_end_and_everything_has_a_place(
    spec: list[tuple[int, str | None]], moves: int
) -> None:
    nodes = ["x", "y", "z"]
    channels = {
        f"c{n}": placed(f"c{n}", node if node in nodes else None, f"p{p}")
        for n, (p, node) in enumerate(spec)
    }
    for _ in range(2 * len(spec) + 2):
        chosen = place(channels.values(), nodes)
        chosen |= balance(
            [
                placed(c.vchannel, chosen.get(c.vchannel, c.node), c.pchannel)
                for c in channels.values()
            ],
            nodes,
            moves=moves,
            split_difference=4,
        )
        if not chosen:
            break
        for name, node in chosen.items():
            channels[name] = placed(name, node, channels[name].pchannel)
    else:
        raise AssertionError("balance never ends")
    assert all(c.node in nodes for c in channels.values())
