"""What the roles say to each other: requests and responses as frozen dataclasses, by who is asked.

`@answered_by(Response)` ties a request to its response. A timestamp is a hybrid one
(`model.timestamp`), a position a whole `model.channel.Position`. Where a server id stands in a
request to a role, a role with another id answers `Fenced`. A field may be added when it has a
default: peers know fields by their names (`rpc.codec`).
"""
# ruff: noqa: F403

from headrace.rpc.messages.data_node import *
from headrace.rpc.messages.data_service import *
from headrace.rpc.messages.master_service import *
from headrace.rpc.messages.proxy import *
from headrace.rpc.messages.registry import *
from headrace.rpc.messages.sequencer import *
from headrace.rpc.messages.status import *
