"""Where settings come from, and what is said when they are wrong."""

from pathlib import Path

import pytest

from headrace.app.settings import load, without_secrets
from headrace.model.errors import Invalid


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[data_node]\nsync_bytes = 1\nsync_age_s = 1.0\nmoves_most = 1\n")
    monkeypatch.setenv("HEADRACE_DATA_NODE__SYNC_BYTES", "2")
    monkeypatch.setenv("HEADRACE_DATA_NODE__SYNC_AGE_S", "2.0")
    settings = load(path, ["data_node.sync_bytes=3"])
    node = settings.data_node
    assert (node.sync_bytes, node.sync_age_s, node.moves_most) == (3, 2.0, 1)


def test_the_file_may_be_named_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[process]\nnode_name = "here"\n')
    monkeypatch.setenv("HEADRACE_CONFIG", str(path))
    assert load().process.node_name == "here"


def test_lists_are_spelt_as_in_toml() -> None:
    settings = load(None, ['etcd.endpoints=["a:1", "b:2"]'])
    assert settings.etcd.endpoints == ("a:1", "b:2")


def test_other_variables_of_ours_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load().model_dump()
    monkeypatch.setenv("HEADRACE_CHILD", "1")
    monkeypatch.setenv("HEADRACE_CRASH_AT", "here")
    assert load().model_dump() == before


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("nothing", "--set takes GROUP.NAME=VALUE"),
        ("data_node=1", "--set takes GROUP.NAME=VALUE"),
        ("data_node.sync_bytes.more=1", "--set takes GROUP.NAME=VALUE"),
        ("absent.name=1", "setting absent: there is none of that name"),
        ("data_node.absent=1", "setting data_node.absent: there is none of that name"),
        ("data_node.sync_bytes=many", "setting data_node.sync_bytes: "),
        ("data_node.sync_bytes=0", "setting data_node.sync_bytes: sync_bytes is 0"),
        ("proxy.port=70000", "setting proxy.port: "),
        ("process.log_level=loud", "setting process.log_level: "),
        ("process.metrics_port=70000", "setting process.metrics_port: "),
        ("etcd.endpoints=[1", "--set etcd.endpoints=[1: not a list"),
    ],
)
def test_a_flag_that_cannot_be_is_refused_by_name(flag: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        load(None, [flag])
    assert words in refused.value.message
    assert "\n" not in refused.value.message


def test_a_variable_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PROXY", "door")
    with pytest.raises(Invalid, match="HEADRACE_GROUP__NAME"):
        load()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("[data_node", "is not TOML"),
        ("[data_node]\nsync_bytes = 0\n", "setting data_node.sync_bytes: "),
        ("[absent]\n", "setting absent: "),
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "settings.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Invalid, match=words) as refused:
        load(path)
    assert "\n" not in refused.value.message


def test_secrets_among_flags_become_variables_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = ["objects.secret_access_key=my=s", "objects.access_key_id=my-k", "proxy.port=1"]
    shown, hidden = without_secrets(flags)
    assert shown == ["proxy.port=1"]
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    assert load(None, shown).model_dump() == load(None, flags).model_dump()


def test_what_a_bucket_cannot_be_reached_with_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match=r"^setting objects\.endpoint: ") as refused:
        load(None, ["objects.endpoint=my-server"])
    assert refused.value.field == "objects.endpoint"
