"""A port in use is told before anything starts, with who holds it and what to do."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from native import ports
from native.errors import StackError
from native.settings import SERVICES, load
from tests.native.project import free_ports


def test_free_ports_are_no_fault_and_taken_ones_are_all_told() -> None:
    numbers = dict(zip([service.name for service in SERVICES], free_ports(len(SERVICES)), strict=True))
    settings = replace(load(), ports=numbers)
    ports.check(settings, {})
    with socket.create_server(("127.0.0.1", numbers["prometheus"])), socket.create_server(("", numbers["grafana"])):
        with pytest.raises(StackError) as caught:
            ports.check(settings, {})
        me = f"{Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"
        assert str(caught.value).splitlines() == [
            f"{title} needs port {numbers[name]}, which is in use by {me}. "
            f"Stop that, or set {name.upper()}_PORT in .env to a free port."
            for title, name in {"Prometheus": "prometheus", "Grafana": "grafana"}.items()
        ]
        ports.check(settings, {"prometheus": numbers["prometheus"], "grafana": numbers["grafana"]})
    ports.check(settings, {})
