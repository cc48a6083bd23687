"""Settings of a process: from a file, the environment and flags, checked at start.

Flags (`--set a.b=c`) come before `HEADRACE_A__B` in the environment, that before the TOML file
named by `--config` or `HEADRACE_CONFIG`, that before defaults. Each role's `settings.py` has its
own values with their reasons. Units stand in the names. `docs/guide/configure.md` is generated from
here (`tools/docs.py`).
"""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import (
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from headrace.datanode.settings import DataNodeSettings
from headrace.dataservice.settings import DataServiceSettings
from headrace.log.settings import NatsSettings
from headrace.masterservice.settings import MasterServiceSettings
from headrace.meta.keys import DEFAULT_ROOT
from headrace.model.errors import Invalid
from headrace.objects.s3_access import S3Access
from headrace.proxy.settings import ProxySettings
from headrace.sequencer.settings import SequencerSettings

LOG_LEVELS = ("debug", "info", "warning", "error")
SECRETS = frozenset({"password", "access_key_id", "secret_access_key", "session_token", "token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdSettings:
    """The meta store."""

    endpoints: tuple[str, ...] = ("127.0.0.1:2379",)  # host:port of each member
    root: str = DEFAULT_ROOT  # all keys of the cluster are below it
    user: str = ""  # empty: no authentication
    password: str = field(default="", repr=False)
    ca_file: str = ""  # of a TLS server; empty: plain text
    cert_file: str = ""  # the client's, for mutual TLS
    key_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSettings:
    """The object store."""

    uri: str = "./headrace-data/store"  # a directory, file:///..., or s3://bucket/prefix
    endpoint: str = ""  # of another S3 server, as http://127.0.0.1:9000; empty: AWS_ENDPOINT_URL
    region: str = ""  # empty: AWS_REGION, else us-east-1
    access_key_id: str = field(default="", repr=False)  # empty: from AWS's usual variables
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)  # of credentials that end
    timeout_s: float = 120.0  # of one request to a bucket: a part of 16 MB, an object of 32 MB

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise Invalid(f"timeout_s is {self.timeout_s}, not above 0", field="timeout_s")
        self.access()

    def access(self) -> S3Access:
        """How to reach a bucket."""
        return S3Access(
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            session_token=self.session_token,
            timeout_s=self.timeout_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """What every role has."""

    node_name: str = ""  # unique in its role; empty: ROLE-1
    bind_host: str = "127.0.0.1"  # of the server for peers
    bind_port: int = 0  # 0: any free port
    advertise_host: str = ""  # the host that peers use; empty: bind_host
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0  # 0: any free port
    log_dir: str = ""  # empty: to standard error
    log_level: str = "info"  # debug, info, warning or error
    journal_steps: int = 1000  # kept of each machine; a replay needs all since its beginning
    journal_values: int = 400  # kept of one event or effect; a replay needs all, at any size

    def __post_init__(self) -> None:
        if self.log_level not in LOG_LEVELS:
            raise Invalid(
                f"log_level is {self.log_level!r}, not one of {', '.join(LOG_LEVELS)}",
                field="log_level",
            )
        for name in ("journal_steps", "journal_values"):
            if getattr(self, name) < 1:
                raise Invalid(f"{name} is {getattr(self, name)}, the least is 1", field=name)
        for name in ("bind_port", "metrics_port"):
            port = getattr(self, name)
            if not 0 <= port < 1 << 16:
                raise Invalid(f"{name} is {port}, not between 0 and 65535", field=name)


class Settings(BaseSettings):
    """All settings of a process."""

    model_config = SettingsConfigDict(
        env_prefix="HEADRACE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )
    config_file: ClassVar[Path | None] = None

    process: ProcessSettings = ProcessSettings()
    etcd: EtcdSettings = EtcdSettings()
    log: NatsSettings = NatsSettings()
    objects: ObjectSettings = ObjectSettings()
    master_service: MasterServiceSettings = MasterServiceSettings()
    data_service: DataServiceSettings = DataServiceSettings()
    data_node: DataNodeSettings = DataNodeSettings()
    proxy: ProxySettings = ProxySettings()
    sequencer: SequencerSettings = SequencerSettings()

    @field_validator("*", mode="wrap")
    @classmethod
    def _name_the_group(
        cls, value: Any, make: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        """A role's settings know their own names only."""
        try:
            return make(value)
        except Invalid as error:
            name = error.field.removeprefix(f"{info.field_name}.")
            raise Invalid(
                f"setting {info.field_name}.{name}: {error.message}",
                field=f"{info.field_name}.{name}",
            ) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file."""
        content = _read(cls.config_file) if cls.config_file else {}
        return (init_settings, env_settings, InitSettingsSource(settings_cls, content))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise Invalid(f"the settings file {path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"the settings file {path} is not TOML: {error}") from error


def _list(flag: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"--set {flag}: not a list as TOML writes it: {error}") from error


def load(config: Path | None = None, flags: Sequence[str] = ()) -> Settings:
    """The settings of this process; `flags` are `a.b=value`. `Invalid` names what is wrong."""
    named = os.environ.get("HEADRACE_CONFIG")
    path = config or (Path(named) if named else None)
    values = _values(flags)
    chosen = type("Settings", (Settings,), {"config_file": path, "__doc__": Settings.__doc__})
    try:
        settings: Settings = chosen(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        wrong = f"{first['msg']} (it is {first.get('input')!r})"
        if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
            wrong = "there is none of that name"
        raise Invalid(
            f"setting {where}: {wrong}; `headrace config show` prints all settings",
            field=where,
        ) from error
    except SettingsError as error:
        raise Invalid(
            f"a setting in the environment is not JSON where it must be: {error}; a single one is "
            "spelt HEADRACE_GROUP__NAME"
        ) from error
    return settings


def without_secrets(flags: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Flags as `load` takes them, apart: those that everybody on the machine may see in a list of
    processes, and the others as variables of the environment."""
    shown, hidden = [], {}
    for flag in flags:
        name, _, value = flag.partition("=")
        group, _, last = name.strip().partition(".")
        if last in SECRETS:
            hidden[f"HEADRACE_{group}__{last}".upper()] = value
        else:
            shown.append(flag)
    return shown, hidden


def _values(flags: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for flag in flags:
        name, equals, text = flag.partition("=")
        group, point, last = name.strip().partition(".")
        if not equals or not point or not group or not last or "." in last:
            raise Invalid(
                f"--set takes GROUP.NAME=VALUE such as data_node.budget_bytes=1000, not {flag!r}"
            )
        found = _list(flag, text) if text.startswith("[") else text
        values.setdefault(group, {})[last] = found
    return values
