"""Calls of the running node, as commands make them."""

from collections.abc import Mapping
from typing import Any

from daemon.client import CALL_SECONDS_MAX, Client, Progress
from daemon.storage.home import Home


def call(
    home: Home,
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    progress: Progress | None = None,
    timeout_seconds: float = CALL_SECONDS_MAX,
) -> Any:
    """Call one method of the node in `home`, or raise `NodeNotRunning` and the like."""
    with Client(home.control_socket) as node:
        return node.call(method, params, progress=progress, timeout_seconds=timeout_seconds)
