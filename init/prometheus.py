"""Makes the prometheus.yml of the native way: this machine's addresses, absolute paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from init.yaml import dump, load, replace_address


def render(source: Path, addresses: Mapping[str, str], services: Mapping[str, int], password: Path) -> str:
    """The committed file with the compose names replaced: in targets and in addresses with http(s)://.

    `password` is the file with Alertmanager's.
    """
    document = load(source)
    names = {f"{name}:{port}": addresses[name] for name, port in services.items()}
    replaced: dict[str, Any] = _walk(document, {**names, f"/out/prometheus/{password.name}": str(password)})
    folder = source.resolve().parent
    replaced["rule_files"] = [str(folder / pattern) for pattern in replaced.get("rule_files", [])]
    return dump(replaced, "prometheus/prometheus.yml")


def _walk(value: Any, addresses: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(item, addresses) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, addresses) for item in value]
    if isinstance(value, str):
        return replace_address(value, addresses)
    return value
