"""A journal becomes text and a machine again, and a difference is said by its step."""

import json

import pytest

from headrace.dataservice import events as ev
from headrace.dataservice.machine import DataServiceMachine
from headrace.dataservice.settings import DataServiceSettings
from headrace.meta.records import CheckpointRecord, EpochRecord, SessionState
from headrace.model.channel import Position
from headrace.model.errors import Invalid
from headrace.runtime.driver import AnswerTo, Source
from headrace.runtime.journal.replay import (
    Recorded,
    details,
    lines_of,
    read_lines,
    recorded,
    replay,
)
from headrace.runtime.journal.steps import Journal, Step

VCHANNEL = "headrace-dml-0_7v0"


def written(kept_steps: int = 1_000) -> Journal:
    """The journal of a data service that assigns one vchannel to one node."""
    journal = Journal(kept_steps)
    machine = journal.begin(DataServiceMachine, DataServiceSettings(settle_s=0.0), 0.0)
    start = Position("headrace-dml-0", 1, 1)
    epoch = ev.EpochSeen(VCHANNEL, EpochRecord(epoch=0, server_id=0), 5)
    checkpoint = ev.CheckpointSeen(VCHANNEL, CheckpointRecord(position=start, start=start), 5)
    node = ev.NodeSeen(
        node_name="data-node-1", server_id=1, address="host:1", state=SessionState.HEALTHY
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
    assert read_lines(lines_of(journal)) == recorded(journal)


def test_a_replayed_machine_orders_the_same() -> None:
    assert replay(read_lines(lines_of(written()))) == ""


def test_a_difference_is_said_by_its_step() -> None:
    record = recorded(written())
    last = record.steps[-1]
    other = Step(last.number, last.now, last.cause, last.event, (*last.effects, last.event))
    difference = replay(Recorded(record.start, 0, (*record.steps[:-1], other)))
    assert difference.startswith("step 4 ordered otherwise")


def test_a_journal_that_has_lost_its_beginning_cannot_be_replayed() -> None:
    with pytest.raises(Invalid, match="lost its first 2 steps"):
        replay(recorded(written(kept_steps=2)))


@pytest.mark.parametrize("lines", [[], ["no"], ["{}"], ['{"made": null, "lost": 0}', "[1]"]])
def test_what_is_no_journal_is_refused(lines: list[str]) -> None:
    with pytest.raises(Invalid, match="no journal"):
        read_lines(lines)


def test_nothing_but_values_of_headrace_is_made_from_a_file() -> None:
    head = {"made": ["subprocess:Popen", ["t"], ["d"]], "lost": 0}
    with pytest.raises(Invalid, match="no class of Headrace"):
        read_lines([json.dumps(head)])


def test_a_status_tells_the_story_and_the_journal_of_every_machine() -> None:
    journals = {"data-service": written(), "other": Journal()}
    assert list(details(journals, "journal")["journals"]) == ["data-service", "other"]
    assert VCHANNEL in details(journals, f"story:{VCHANNEL}")["story"]
    assert details(journals, "story:nothing") == details(journals, "nodes") == {}
