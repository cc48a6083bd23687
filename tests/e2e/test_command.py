"""The `headrace` command without a cluster: quick help, one line for what is wrong, status 2."""

import resource
from pathlib import Path

import pytest
from support.processes.command import run

HELP_S = 0.5


def refusal(*words: str) -> str:
    """The one line in which the command says what is wrong."""
    done = run(*words)
    assert done.returncode == 2, done
    assert done.stderr.startswith("headrace: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("headrace: ").strip()


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_come_at_once(word: str) -> None:
    took = []
    for _ in range(3):
        before = processor_seconds()
        done = run(word)
        took.append(processor_seconds() - before)
        assert done.returncode == 0
    assert "headrace" in done.stdout
    assert min(took) < HELP_S


def processor_seconds() -> float:
    """Of the children that have ended: what others do on this machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_config_show_prints_what_a_settings_file_may_say(tmp_path: Path) -> None:
    shown = run(
        "config", "show", "--set", "data_node.sync_bytes=123", "--set", "proxy.token=swordfish"
    )
    assert shown.returncode == 0
    assert "sync_bytes = 123" in shown.stdout
    assert "swordfish" not in shown.stdout
    path = tmp_path / "settings.toml"
    path.write_text(shown.stdout)
    again = run("config", "show", "--config", str(path))
    assert again.stdout == shown.stdout


def test_wrong_settings_are_refused_before_anything_is_started(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    said = refusal("standalone", "--data-dir", str(directory), "--set", "data_node.sync_bytes=0")
    assert said == "setting data_node.sync_bytes: sync_bytes is 0, the least is 1"
    assert not directory.exists()


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0", "has layout version 0, this program knows 2; use the release that wrote it"),
        (None, "is not empty and no data directory of Headrace (it holds precious)"),
    ],
)
def test_a_directory_of_others_is_refused(tmp_path: Path, version: str | None, words: str) -> None:
    (tmp_path / "precious").write_text("kept")
    if version is not None:
        (tmp_path / "version").write_text(version)
    assert words in refusal("standalone", "--data-dir", str(tmp_path), "--port", "0")
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refusal("standalone", "--data-dir", str(tmp_path / "file" / "below"), "--port", "0")
    assert said.startswith(f"the data directory {tmp_path}/file/below cannot be used: ")
    assert refusal("standalone", "--data-dir", "/proc/nothing", "--port", "0")


def test_who_asks_for_a_cluster_where_none_is_learns_how_to_start_one(tmp_path: Path) -> None:
    for words in (("status",), ("inspect", "channels"), ("scan", "rows")):
        said = refusal(*words, "--data-dir", str(tmp_path))
        assert f"`headrace standalone --data-dir {tmp_path}`" in said


def test_what_standalone_chooses_itself_cannot_be_set(tmp_path: Path) -> None:
    """It would be ignored."""
    words = ("standalone", "--data-dir", str(tmp_path / "data"), "--set", "objects.uri=s3://a")
    assert refusal(*words) == "--set objects.uri: use --object-store"


def test_a_role_that_is_none_is_refused() -> None:
    assert "serve one of data-node" in refusal("serve", "nobody")
