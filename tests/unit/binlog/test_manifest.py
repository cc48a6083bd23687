"""Manifests, bundles and name lists."""

import json

import pytest
from support.values.rows import SMALL

from headrace.binlog import manifest
from headrace.binlog.manifest import (
    Bundle,
    Manifest,
    ManifestSegment,
    NameList,
)
from headrace.model.errors import Corrupt
from headrace.model.segment import FileRef, SegmentState

FILE = FileRef(
    key="insert/1/2/3/4-5.parquet",
    epoch=4,
    rows=10,
    size_bytes=999,
    first_timestamp=5,
    last_timestamp=8,
    min_key="1",
    max_key="9",
)
SEGMENT = ManifestSegment(
    id=3,
    partition_id=2,
    vchannel="dml-0_1v0",
    version=1,
    state=SegmentState.FLUSHED,
    rows=10,
    files=(FILE,),
)
LIST = Manifest(
    collection_id=1,
    name="docs",
    revision=77,
    timestamp=8,
    version=1,
    schemas={1: SMALL},
    partitions={2: "_default"},
    segments=(SEGMENT,),
    deltas=(FILE,),
    bundles=("bundles/1/dml-0_1v0/1.json",),
)


def test_a_list_comes_back_equal():
    assert manifest.decode_manifest(manifest.encode(LIST)) == LIST


def test_bundles_and_name_lists_come_back_equal():
    bundle = Bundle(segments=(SEGMENT,))
    names = NameList(revision=5, names={"docs": 1})
    assert manifest.decode_bundle(manifest.encode(bundle)) == bundle
    assert manifest.decode_names(manifest.encode(names)) == names


def test_a_list_is_json_that_a_person_can_read():
    value = json.loads(manifest.encode(LIST))
    assert value["name"] == "docs"
    assert value["segments"][0]["files"][0]["key"] == FILE.key
    assert value["schemas"]["1"]["fields"][0]["name"] == "id"


def test_fields_that_a_later_release_adds_are_ignored():
    value = json.loads(manifest.encode(LIST)) | {"later": [1, 2]}
    assert manifest.decode_manifest(json.dumps(value).encode()) == LIST


def test_what_is_no_list_is_corrupt_and_named():
    with pytest.raises(Corrupt, match=r"manifests/1/x\.json"):
        manifest.decode_manifest(b"{}", "manifests/1/x.json")
