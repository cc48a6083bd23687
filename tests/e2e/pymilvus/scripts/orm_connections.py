"""The older classes: connections by alias."""

import asyncio
import sys

from pymilvus import connections, utility

host, port = sys.argv[1].removeprefix("http://").split(":")
connections.add_connection(first={"host": host, "port": port})
connections.connect("first")
assert connections.has_connection("first")
assert connections.get_connection_addr("first")["address"] == f"{host}:{port}"
assert utility.get_server_version(using="first").startswith("headrace-")

connections.connect("second", host=host, port=port)
assert {"first", "second"} <= {alias for alias, _ in connections.list_connections()}

connections.disconnect("second")
connections.remove_connection("first")
assert not connections.has_connection("first")


async def main():
    """The same for those who use the asynchronous client beside it."""
    connections.connect("third", host=host, port=port, _async=True)
    await connections.async_disconnect("third")
    await connections.async_remove_connection("third")
    assert not connections.has_connection("third")


asyncio.run(main())
