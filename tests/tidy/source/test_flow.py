"""The tree is the data path: the stages of the flowgraph sort in the order a message takes."""

from support.repo import SOURCE, source_modules

STAGES = ("consume", "dispatch", "growing", "pack", "persist", "report")
SHARED = ("handoff", "settings", "effects", "events", "budget")
DATANODE = SOURCE / "datanode"


def stage_of(name: str) -> str | None:
    """The stage that a dotted name lies in."""
    parts = name.split(".")
    inside = parts[:2] == ["headrace", "datanode"] and len(parts) > 2
    return parts[2] if inside and parts[2] in STAGES else None


def test_folders_sort_in_the_order_of_the_flow() -> None:
    folders = sorted(p.name for p in DATANODE.iterdir() if (p / "__init__.py").is_file())
    assert tuple(folders) == STAGES


def test_stages_import_only_what_the_node_shares_and_what_lies_below() -> None:
    """A stage that does I/O takes effects and answers with events, so it imports both."""
    wrong = []
    for module in source_modules():
        stage = stage_of(module.package)
        if stage is None:
            continue
        for name in module.imports():
            inside = name.startswith("headrace.datanode.")
            if inside and stage_of(name) != stage and name.split(".")[2] not in SHARED:
                wrong.append(f"{module.name} imports {name}")
    assert not wrong


def test_the_flowgraph_decides_and_the_shell_acts_in_the_stages() -> None:
    """The flowgraph names the stages that decide, the shell those with I/O or threads."""
    named = {
        module.package: {stage_of(name) for name in module.imports()} - {None}
        for module in source_modules()
    }
    assert named["headrace.datanode.flowgraph"] == set(STAGES) - {"pack"}
    assert named["headrace.datanode.shell"] == {"consume", "pack", "persist", "report"}
