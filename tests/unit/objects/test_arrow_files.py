"""Stores as file systems of Arrow's."""

from pathlib import Path

import pyarrow.fs as pafs
import pytest
from support.world.clock import ManualClock

from headrace.model.errors import Invalid
from headrace.objects.arrow_files import file_system, local_root, memory_file_system
from headrace.objects.disk import Disk
from headrace.objects.memory import MemoryBucket


@pytest.fixture(params=["memory", "local"])
def files(request, tmp_path) -> pafs.FileSystem:
    server = MemoryBucket(ManualClock())
    disk = Disk(tmp_path, "test")
    for key in ("a/1", "a/2", "b/1"):
        server.put(key, key.encode())
        disk.put(key, [key.encode()])
    return memory_file_system(server) if request.param == "memory" else file_system(tmp_path)


def test_a_folder_is_listed_and_an_absent_one_is_empty(files):
    found = files.get_file_info(pafs.FileSelector("a", allow_not_found=True))
    assert sorted((i.path, i.size) for i in found) == [("a/1", 3), ("a/2", 3)]
    assert files.get_file_info(pafs.FileSelector("c", allow_not_found=True)) == []


def test_an_object_is_a_file_and_an_absent_one_is_not_found(files):
    with files.open_input_file("b/1") as file:
        assert file.read() == b"b/1"
    with pytest.raises(FileNotFoundError):
        files.open_input_file("b/2")
    known, absent = files.get_file_info(["b/1", "b/2"])
    assert (known.size, absent.type) == (3, pafs.FileType.NotFound)


def test_nothing_is_written_through_it():
    files = memory_file_system(MemoryBucket(ManualClock()))
    for write in (files.create_dir, files.delete_file, files.open_output_stream):
        with pytest.raises(PermissionError, match="only read"):
            write("x")


def test_a_directory_has_many_spellings(tmp_path, monkeypatch):
    root = tmp_path / "a b%20c"
    root.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for spelling in (root, str(root), root.as_uri(), "a b%20c", "~/a b%20c"):
        assert local_root(spelling) == root
    assert local_root(f"file://localhost{tmp_path}") == Path(tmp_path)


@pytest.mark.parametrize("uri", ["file://host/x", "gs://bucket/x", "/nothing/here"])
def test_other_stores_are_refused(uri):
    with pytest.raises(Invalid):
        file_system(uri)
