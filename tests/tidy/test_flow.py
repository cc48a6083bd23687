"""The tree is the data path: the stages of the flowgraph sort in the order a message takes."""

from support.repo import SOURCE, source_modules

STAGES = ("consume", "dispatch", "growing", "pack", "persist", "report")
DATANODE = SOURCE / "datanode"


def stage_of(name: str) -> str | None:
    """The stage that a dotted name lies in."""
    parts = name.split(".")
    inside = parts[:2] == ["headrace", "datanode"] and len(parts) > 2
    return parts[2] if inside and parts[2] in STAGES else None


def test_folders_sort_in_the_order_of_the_flow() -> None:
    folders = sorted(p.name for p in DATANODE.iterdir() if (p / "__init__.py").is_file())
    assert tuple(folders) == STAGES


def test_stages_import_only_the_handoff_and_what_lies_below() -> None:
    wrong = []
    for module in source_modules():
        stage = stage_of(module.package)
        if stage is None:
            continue
        for name in module.imports():
            inside = name.startswith("headrace.datanode.")
            allowed = ("headrace.datanode.handoff", "headrace.datanode.settings")
            if inside and stage_of(name) != stage and not name.startswith(allowed):
                wrong.append(f"{module.name} imports {name}")
    assert not wrong


def test_only_the_flowgraph_names_all_six_stages() -> None:
    knowing = [
        module.package
        for module in source_modules()
        if {stage_of(name) for name in module.imports()} >= set(STAGES)
    ]
    assert knowing == ["headrace.datanode.flowgraph"]
