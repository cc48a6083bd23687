"""The keys in the meta store, below one root per cluster.

{root}/layout                          version of this layout
{root}/pool                            the pchannels of the cluster (master service)
{root}/store                           StoreRecord: the cluster's id, which its store bears
{root}/server-id                       counter of server ids
{root}/session/{role}/{node}           a process that lives, under its lease
{root}/leader/{role}                   the leading process of a role, under its lease
{root}/timestamp-mark                  no timestamp at or above it was given out
{root}/id-mark                         the same for ids
{root}/collection/{id}                 CollectionRecord
{root}/ddl/{id}/{version}              DdlRecord, its history
{root}/name/{name}                     id of the collection of that name
{root}/client-state/{id}/{topic}       what clients set for a collection: indexes, loads
{root}/sequencer/{pchannel}            SequencerRecord: the assignment of a pchannel
{root}/pchannel/{pchannel}             PChannelRecord: its vchannels and its truncate mark
{root}/channel/{vchannel}/epoch        EpochRecord: its assignment (data service)
{root}/channel/{vchannel}/checkpoint   CheckpointRecord
{root}/channel/{vchannel}/deletes      DeletesRecord
{root}/delta/{vchannel}/{epoch}-{n}    FileRef of a delta log
{root}/segment/{vchannel}/{id}         SegmentRecord
{root}/bundle/{vchannel}/{n}           BundleRecord: about 100 flushed segments
"""

from dataclasses import dataclass

from headrace.model.channel import PChannel, VChannel
from headrace.model.ids import CollectionId, SegmentId, Version

DEFAULT_ROOT = "headrace"


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one cluster. Every `..._prefix` ends with `/` or is a whole directory."""

    root: str = DEFAULT_ROOT

    @property
    def layout(self) -> str:
        return f"{self.root}/layout"

    @property
    def pool(self) -> str:
        return f"{self.root}/pool"

    @property
    def store(self) -> str:
        return f"{self.root}/store"

    @property
    def server_id(self) -> str:
        return f"{self.root}/server-id"

    @property
    def timestamp_mark(self) -> str:
        return f"{self.root}/timestamp-mark"

    @property
    def id_mark(self) -> str:
        return f"{self.root}/id-mark"

    def session(self, role: str, node_name: str) -> str:
        return f"{self.root}/session/{role}/{node_name}"

    def sessions_prefix(self, role: str = "") -> str:
        return f"{self.root}/session/{role}/" if role else f"{self.root}/session/"

    def leader(self, role: str) -> str:
        return f"{self.root}/leader/{role}"

    def collection(self, collection_id: CollectionId) -> str:
        return f"{self.root}/collection/{collection_id}"

    @property
    def collections_prefix(self) -> str:
        return f"{self.root}/collection/"

    def ddl(self, collection_id: CollectionId, version: Version) -> str:
        return f"{self.root}/ddl/{collection_id}/{version:010d}"

    def ddl_prefix(self, collection_id: CollectionId) -> str:
        return f"{self.root}/ddl/{collection_id}/"

    def name(self, name: str) -> str:
        return f"{self.root}/name/{name}"

    @property
    def names_prefix(self) -> str:
        return f"{self.root}/name/"

    def client_state(self, collection_id: CollectionId, topic: str) -> str:
        return f"{self.root}/client-state/{collection_id}/{topic}"

    def client_state_prefix(self, collection_id: CollectionId) -> str:
        return f"{self.root}/client-state/{collection_id}/"

    def sequencer(self, pchannel: PChannel) -> str:
        return f"{self.root}/sequencer/{pchannel}"

    @property
    def sequencers_prefix(self) -> str:
        return f"{self.root}/sequencer/"

    def pchannel(self, pchannel: PChannel) -> str:
        return f"{self.root}/pchannel/{pchannel}"

    @property
    def pchannels_prefix(self) -> str:
        return f"{self.root}/pchannel/"

    def epoch(self, vchannel: VChannel) -> str:
        return f"{self.root}/channel/{vchannel}/epoch"

    def checkpoint(self, vchannel: VChannel) -> str:
        return f"{self.root}/channel/{vchannel}/checkpoint"

    def deletes(self, vchannel: VChannel) -> str:
        return f"{self.root}/channel/{vchannel}/deletes"

    @property
    def channels_prefix(self) -> str:
        """Epochs, checkpoints and delete checkpoints of all vchannels."""
        return f"{self.root}/channel/"

    def delta(self, vchannel: VChannel, number: str) -> str:
        """FileRef of a delta log; `number` is `{epoch}-{n}` as in its object key."""
        return f"{self.root}/delta/{vchannel}/{number}"

    def deltas_prefix(self, vchannel: VChannel) -> str:
        return f"{self.root}/delta/{vchannel}/"

    def segment(self, vchannel: VChannel, segment_id: SegmentId) -> str:
        return f"{self.root}/segment/{vchannel}/{segment_id}"

    def segments_prefix(self, vchannel: VChannel) -> str:
        """The segments of a vchannel that are not bundled."""
        return f"{self.root}/segment/{vchannel}/"

    def bundle(self, vchannel: VChannel, number: int) -> str:
        return f"{self.root}/bundle/{vchannel}/{number:010d}"

    def bundles_prefix(self, vchannel: VChannel) -> str:
        return f"{self.root}/bundle/{vchannel}/"

    @property
    def everything(self) -> str:
        return f"{self.root}/"
