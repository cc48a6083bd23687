"""`headrace config show`."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import typer

from headrace.app.settings import SECRETS, Settings, load


def lines(settings: Settings) -> Iterator[str]:
    """`group.name = value`, as the settings file spells it."""
    for group in type(settings).model_fields:
        value = getattr(settings, group)
        yield f"[{group}]"
        assert is_dataclass(value)
        for item in fields(value):
            yield f"{item.name} = {_toml(item.name, getattr(value, item.name))}"
        yield ""


def _toml(name: str, value: Any) -> str:
    if name in SECRETS and value:
        return '"***"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml("", item) for item in value) + "]"
    return str(value) if isinstance(value, (int, float)) else f'"{value}"'


def show_settings(config: Path | None, flags: Sequence[str]) -> int:
    """Print; the exit status."""
    for line in lines(load(config, flags)):
        typer.echo(line)
    return 0
