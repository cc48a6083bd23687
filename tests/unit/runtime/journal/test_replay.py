"""A journal becomes text and a machine again, and a difference is said by its step."""

import json

import pytest

from headrace.dataservice import events as ev
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.records import CheckpointRecord, EpochRecord, Role, SessionRecord, SessionState
from headrace.model.channel import Position
from headrace.model.errors import Invalid
from headrace.rpc import codec
from headrace.rpc.messages import StatusResponse
from headrace.runtime.driver import AnswerTo, Source
from headrace.runtime.journal.replay import (
    JOURNAL,
    Recorded,
    details,
    is_about_steps,
    lines_of,
    read_lines,
    recorded,
    replay,
)
from headrace.runtime.journal.steps import Journal, Step

VCHANNEL = "headrace-dml-0_7v0"


def written(kept_steps: int = 1_000, kept_values: int = 400) -> Journal:
    """The journal of a data service that assigns one vchannel to one node."""
    journal = Journal(kept_steps, kept_values=kept_values)
    machine = journal.begin(DataServiceMachine, DataServiceSettings(settle_s=0.0), 0.0)
    start = Position("headrace-dml-0", 1, 1)
    epoch = ev.EpochSeen(VCHANNEL, EpochRecord(epoch=0, server_id=0), 5)
    checkpoint = ev.CheckpointSeen(VCHANNEL, CheckpointRecord(position=start, start=start), 5)
    node = SessionRecord(
        role=Role.DATA_NODE,
        node_name="data-node-1",
        server_id=1,
        address="host:1",
        state=SessionState.HEALTHY,
    )
    events = [
        (ev.ChannelsListed((epoch,), (checkpoint,)), Source.WATCH),
        (ev.NodesChanged((node,)), Source.WATCH),
        (ev.NodeAnswered(1, ()), AnswerTo(2, 0)),
        (ev.TimePassed(), Source.CLOCK),
    ]
    for number, (event, cause) in enumerate(events, 1):
        now = 0.25 * number
        journal.record(number, now, cause, event, machine.step(event, now))
    return journal


def test_a_journal_comes_back_from_its_lines() -> None:
    journal = written()
    assert any("WriteEpoch" in str(step) for step in journal.steps())
    assert read_lines(lines_of(recorded(journal))) == recorded(journal)


def test_a_replayed_machine_orders_the_same() -> None:
    assert replay(read_lines(lines_of(recorded(written())))) == ""


def test_a_difference_is_said_by_its_step() -> None:
    record = recorded(written())
    last = record.steps[-1]
    other = Step(last.number, last.now, last.cause, last.event, (*last.effects, last.event))
    difference = replay(Recorded(record.start, 0, 0, (*record.steps[:-1], other)))
    assert difference.startswith("step 4 ordered otherwise")


def test_a_journal_that_has_lost_its_beginning_cannot_be_replayed() -> None:
    with pytest.raises(Invalid, match="lost its first 2 steps"):
        replay(recorded(written(kept_steps=2)))


@pytest.mark.parametrize(
    "lines", [[], ["no"], ["{}"], ['{"made": null, "lost": 0, "shortened": 0}', "[1]"]]
)
def test_what_is_no_journal_is_refused(lines: list[str]) -> None:
    with pytest.raises(Invalid, match="no journal"):
        read_lines(lines)


def test_nothing_but_values_of_headrace_is_made_from_a_file() -> None:
    head = {"made": ["subprocess:Popen", ["t"], ["d"]], "lost": 0, "shortened": 0}
    with pytest.raises(Invalid, match="no class of Headrace"):
        read_lines([json.dumps(head)])


def test_a_step_that_was_too_large_to_be_kept_cannot_be_replayed() -> None:
    journal = written(kept_values=3)
    with pytest.raises(Invalid, match="too large to be kept"):
        replay(read_lines(lines_of(recorded(journal))))


def test_lines_have_the_newest_steps_that_there_is_room_for() -> None:
    record = recorded(written())
    head, *steps = lines_of(record)
    assert lines_of(record, len(steps[-1])) == [head.replace('"lost": 0', '"lost": 3'), steps[-1]]


def test_a_status_tells_the_story_and_the_journal_of_every_machine() -> None:
    records = {"data-service": recorded(written()), "other": recorded(Journal())}
    rows = details(records, JOURNAL)[JOURNAL]
    assert [row["machine"] for row in rows] == ["data-service"] * 5 + ["other"]
    assert VCHANNEL in details(records, f"story:{VCHANNEL}")["story"]
    assert details(records, "story:nothing") == {}
    assert is_about_steps(JOURNAL) and is_about_steps("story:x") and not is_about_steps("nodes")


def test_what_a_journal_tells_can_be_carried_by_a_message() -> None:
    told = details({"data-service": recorded(written())}, JOURNAL)
    answer = StatusResponse(
        role="data-service", node_name="d", server_id=1, state="healthy", details=told
    )
    assert codec.decode(StatusResponse, codec.encode(answer)) == answer
