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
from headrace.model import codec
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
    assert codec.decode(codec.encode(LIST), manifest.Manifest) == LIST


def test_bundles_and_name_lists_come_back_equal():
    bundle = Bundle(segments=(SEGMENT,))
    names = NameList(revision=5, names={"docs": 1})
    assert codec.decode(codec.encode(bundle), manifest.Bundle) == bundle
    assert codec.decode(codec.encode(names), manifest.NameList) == names


def test_a_list_is_json_that_a_person_can_read():
    value = json.loads(codec.encode(LIST))
    assert value["name"] == "docs"
    assert value["segments"][0]["files"][0]["key"] == FILE.key
    assert value["schemas"]["1"]["fields"][0]["name"] == "id"


def test_fields_that_a_later_release_adds_are_ignored():
    value = json.loads(codec.encode(LIST)) | {"later": [1, 2]}
    assert codec.decode(json.dumps(value).encode(), manifest.Manifest) == LIST


def test_what_is_no_list_is_corrupt_and_named():
    with pytest.raises(Corrupt, match=r"manifests/1/x\.json"):
        codec.decode(b"{}", manifest.Manifest, "manifests/1/x.json")
