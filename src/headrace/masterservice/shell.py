"""Carries the master service's decisions out: one straight coroutine an effect, one event back.

What must not be left half done (a record whose outcome is unknown, a DDL that some sequencer has
not appended) is repeated until it is done or the leadership ends. `Fenced` by the meta store ends
the leadership, whatever was under way: the next leader finds it recorded.
"""

import asyncio
from collections.abc import Callable
from typing import Any, assert_never

from headrace.frame.leader_store import LeaderStore
from headrace.frame.surroundings import Surroundings
from headrace.masterservice import effects as fx
from headrace.masterservice import events as ev
from headrace.masterservice.collections import recording
from headrace.masterservice.collections.tombstones import remove_tombstone
from headrace.masterservice.sequencers.calls import SequencerCalls
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.api import Delete, ModRevisionIs, Put
from headrace.meta.records import (
    CollectionRecord,
    CollectionState,
    LeaderRecord,
    Role,
    SequencerRecord,
)
from headrace.model import codec
from headrace.model.channel import PChannel, Position, pchannel_of
from headrace.model.errors import Fenced, HeadraceError, Unavailable
from headrace.model.refusals import Refusal
from headrace.rpc.api import NotSent
from headrace.rpc.messages import (
    AppendDdlRequest,
    AppendDdlResponse,
    LastPositionRequest,
    PositionResponse,
    StatusRequest,
    StatusResponse,
    StopSequencingRequest,
    StoreNamesRequest,
)
from headrace.runtime.retry import retry

DDL_RECORDED = "masterservice.ddl.recorded"  # recorded, not yet appended or noted
DDL_NOTED = "masterservice.ddl.noted"  # noted, the list of names not yet stored


class MasterShell:
    """The hands of one leadership."""

    def __init__(
        self,
        around: Surroundings[MasterServiceSettings],
        store: LeaderStore,
        sequencers: SequencerCalls,
        answer: Callable[[int, Any], None],
        stand_down: Callable[[str], None],
    ) -> None:
        telemetry = around.telemetry
        self._settings = around.settings
        self._host = around.host
        self._log = telemetry.log
        self._keys = around.keys
        self._peers = around.peers
        self._store = store
        self._sequencers = sequencers
        self._answer = answer
        self._stand_down = stand_down
        self._crash = around.crash
        self._ddls = telemetry.counter("master_ddl_total", "DDLs noted", ("kind",))
        self._moves = telemetry.counter(
            "master_sequencer_moves_total", "Sequencers named for a pchannel", ("reason",)
        )
        self._marks = telemetry.counter("master_marks_total", "Marks persisted", ("mark",))

    async def perform(self, effect: fx.Effect) -> ev.Event | None:
        """Carry an effect out; the event that answers it, if it needs one."""
        try:
            return await self._perform(effect)
        except Fenced as error:
            return ev.LeadershipLost(error.message)

    async def _perform(self, effect: fx.Effect) -> ev.Event | None:
        match effect:
            case fx.Answer():
                self._answer(effect.call, effect.response)
            case fx.Refuse():
                self._answer(effect.call, effect.error)
            case fx.TellClockJump():
                sentence = "the wall clock jumped; timestamps count on without it"
                self._log.warning(sentence, jump_ms=effect.jump_ms)
            case fx.StandDown():
                self._stand_down(effect.reason)
            case fx.WakeAt():
                now = self._host.clock.monotonic()
                await self._host.clock.sleep(max(0.0, effect.when - now))
                return ev.TimePassed(effect.when)
            case fx.MoveMark():
                return await self._move_mark(effect)
            case fx.TryConnection():
                return await self._try_connection(effect)
            case fx.StopSequencer():
                return await self._stop_sequencer(effect)
            case fx.WriteSequencer():
                return await self._write_sequencer(effect)
            case fx.RecordCollection():
                return await self._record_collection(effect)
            case fx.RecordDdl():
                return await self._record_ddl(effect)
            case fx.AppendDdl():
                return await self._append_ddl(effect)
            case fx.NoteDdl():
                return await self._note_ddl(effect)
            case fx.StoreNames():
                return await self._store_names(effect)
            case fx.SetClientState():
                return await self._set_client_state(effect)
            case fx.SweepTombstones():
                return await self._sweep(effect)
            case _:
                assert_never(effect)
        return None

    # ---- marks -------------------------------------------------------------------------------

    async def _move_mark(self, effect: fx.MoveMark) -> ev.Event:
        key = self._keys.id_mark if effect.mark is ev.Mark.IDS else self._keys.timestamp_mark
        value = str(effect.value).encode()
        try:
            found = (await self._store.store.get(key)).first
            stands = int(found.value) if found else 0
            while stands < effect.value:
                compare = [ModRevisionIs(key, found.mod_revision if found else 0)]
                if await self._store.txn(compare, [Put(key, value)]) is not None:
                    break
                found = (await self._store.store.get(key)).first
                stands = int(found.value) if found else 0
        except Unavailable as error:
            self._log.warning("a mark was not moved", mark=effect.mark, reason=error.message)
            return ev.MarkFailed(effect.mark, error.message)
        self._marks.labels(effect.mark).inc()
        return ev.MarkMoved(effect.mark, effect.value)

    # ---- sequencers --------------------------------------------------------------------------

    async def _try_connection(self, effect: fx.TryConnection) -> ev.Event:
        reached = ev.Reached.THERE
        try:
            status: StatusResponse = await self._peers.call(
                effect.address, StatusRequest(), timeout_s=self._settings.connect_timeout_s
            )
            if status.server_id != effect.server_id:
                reached = ev.Reached.GONE
        except NotSent:
            reached = ev.Reached.GONE
        except Unavailable:
            reached = ev.Reached.SILENT
        except HeadraceError as error:
            self._log.debug("a suspected process answers", reason=error.message)
        self._log.info(
            "tried to reach a suspected proxy",
            server_id=effect.server_id,
            address=effect.address,
            reached=reached,
        )
        return ev.ConnectionTried(effect.server_id, reached)

    async def _stop_sequencer(self, effect: fx.StopSequencer) -> ev.Event:
        request = StopSequencingRequest(server_id=effect.server_id, pchannel=effect.pchannel)
        clean = True
        try:
            await self._peers.call(effect.address, request, timeout_s=self._settings.stop_timeout_s)
        except HeadraceError as error:
            clean = False
            self._log.info(
                "the old sequencer did not say that it stopped; the log fences it",
                pchannel=effect.pchannel,
                server_id=effect.server_id,
                reason=error.message,
            )
        return ev.SequencerStopped(effect.pchannel, clean)

    async def _write_sequencer(self, effect: fx.WriteSequencer) -> ev.Event:
        key = self._keys.sequencer(effect.pchannel)
        value = codec.encode(effect.record)
        while True:
            compare = [ModRevisionIs(key, effect.revision)]
            revision = await self._store.commit(compare, [Put(key, value)])
            if revision is None:
                found = (await self._store.get(key)).first
                if found is not None and found.mod_revision != effect.revision:
                    record = codec.decode(found.value, SequencerRecord, key)
                    return ev.SequencerStood(effect.pchannel, record, found.mod_revision)
                continue
            self._moves.labels(effect.reason).inc()
            self._log.info(
                "named the sequencer of a pchannel",
                pchannel=effect.pchannel,
                node=effect.record.node_name,
                server_id=effect.record.server_id,
                reason=effect.reason,
            )
            return ev.SequencerStood(effect.pchannel, effect.record, revision)

    # ---- DDL ---------------------------------------------------------------------------------

    async def _record_collection(self, effect: fx.RecordCollection) -> ev.Event:
        identity = (effect.record.id, effect.record.version)
        unknown = False  # whether an attempt may still be done
        while True:
            try:
                positions = await self._positions(effect, forever=unknown)
            except Unavailable as error:
                return ev.DdlNotRecorded(*identity, error)
            try:
                revision = await recording.record_collection(
                    self._store, self._keys, effect, positions
                )
            except Unavailable:
                unknown, revision = True, None
            if revision is None:
                await self._host.clock.sleep(self._settings.retry_least_s)
                revision = await recording.find_collection(self._store, self._keys, effect.record)
            if revision is not None:
                self._crash.reach(DDL_RECORDED)
                return ev.DdlRecorded(*identity, revision)

    async def _positions(
        self, effect: fx.RecordCollection, *, forever: bool
    ) -> dict[PChannel, Position]:
        within_s = None if forever else self._settings.placing_timeout_s
        pchannels = list(dict.fromkeys(pchannel_of(v) for v in effect.record.vchannels))
        answers: list[PositionResponse] = await asyncio.gather(
            *(self._sequencers.ask(p, LastPositionRequest(p), within_s=within_s) for p in pchannels)
        )
        return {p: a.position for p, a in zip(pchannels, answers, strict=True)}

    async def _record_ddl(self, effect: fx.RecordDdl) -> ev.Event:
        revision = await recording.record_ddl(self._store, self._keys, effect)
        self._crash.reach(DDL_RECORDED)
        return ev.DdlRecorded(effect.record.id, effect.record.version, revision)

    async def _append_ddl(self, effect: fx.AppendDdl) -> ev.Event:
        pchannels = list(dict.fromkeys(pchannel_of(v) for v in effect.record.vchannels))
        answers: list[AppendDdlResponse] = await asyncio.gather(
            *(
                self._sequencers.ask(
                    p, AppendDdlRequest(pchannel=p, record=effect.record, ddl=effect.ddl)
                )
                for p in pchannels
            )
        )
        positions = {at.vchannel: at.position for answer in answers for at in answer.positions}
        missing = [v for v in effect.record.vchannels if v not in positions]
        assert not missing, f"sequencers told no position of {missing}"
        return ev.DdlAppended(effect.record.id, effect.record.version, positions)

    async def _note_ddl(self, effect: fx.NoteDdl) -> ev.Event:
        revision = await recording.note_ddl(self._store, self._keys, effect)
        self._crash.reach(DDL_NOTED)
        self._ddls.labels(effect.ddl.kind).inc()
        self._log.info(
            "noted a DDL",
            collection=effect.record.name,
            collection_id=effect.record.id,
            version=effect.record.version,
            kind=effect.ddl.kind,
        )
        return ev.DdlNoted(effect.record.id, effect.record.version, revision)

    async def _store_names(self, effect: fx.StoreNames) -> ev.Event:
        told = False

        async def ask_leader() -> None:
            found = (await self._store.get(self._keys.leader(Role.DATA_SERVICE))).first
            if found is None:
                raise Unavailable("no data service leads")
            leader = codec.decode(found.value, LeaderRecord, found.key)
            await self._peers.call(
                leader.address,
                StoreNamesRequest(effect.revision),
                timeout_s=self._settings.ddl_call_timeout_s,
            )

        def tell(error: Exception) -> None:
            nonlocal told
            if not told:
                self._log.warning("the list of names waits for the data service", reason=str(error))
            told = True

        errors = (HeadraceError,)
        await retry(
            ask_leader, self._host, pauses=self._settings.pauses, errors=errors, on_failure=tell
        )
        return ev.NamesStored(effect.revision)

    # ---- the rest ----------------------------------------------------------------------------

    async def _set_client_state(self, effect: fx.SetClientState) -> ev.Event:
        request = effect.request
        key = self._keys.client_state(request.collection_id, request.topic)
        operation = Put(key, request.value) if request.value else Delete(key)
        gone = (CollectionState.DROPPING, CollectionState.DROPPED)
        while True:
            found = (await self._store.get(self._keys.collection(request.collection_id))).first
            record = codec.decode(found.value, CollectionRecord, found.key) if found else None
            if found is None or record is None or record.state in gone:
                error = Refusal.COLLECTION_ID_NOT_FOUND(id=request.collection_id)
                return ev.ClientStateSet(effect.call, error)
            # Compared, so that a drop that was recorded meanwhile takes it along.
            compare = [ModRevisionIs(found.key, found.mod_revision)]
            if await self._store.commit(compare, [operation]) is not None:
                return ev.ClientStateSet(effect.call, None)

    async def _sweep(self, effect: fx.SweepTombstones) -> ev.Event:
        removed = [
            collection_id
            for collection_id in effect.collections
            if await remove_tombstone(self._store, self._keys, collection_id)
        ]
        if removed:
            self._log.info("removed the last trace of dropped collections", collections=removed)
        return ev.TombstonesSwept(tuple(removed))
