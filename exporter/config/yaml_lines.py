"""Reads YAML with the line of every key, refusing a key that stands twice: YAML itself would drop the first."""

from __future__ import annotations

import re
from typing import Any

import yaml

Lines = dict[tuple[str | int, ...], int]


class YamlError(Exception):
    """Text that is not YAML; its message begins with the line."""


class _Loader(yaml.SafeLoader):
    """YAML takes an hour such as 18:30 for a number to the base of 60, which nobody means."""


_HOUR = ("tag:yaml.org,2002:str", re.compile(r"[0-9]{1,2}:[0-9]{2}$"))
_Loader.yaml_implicit_resolvers = {
    first: [_HOUR, *resolvers] for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_with_lines(text: str) -> tuple[Any, Lines]:
    """The document, and the line (from 1) of each key path and list entry in it.

    Raises:
        YamlError: the text is not YAML, or a key stands twice.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: Lines = {}
        if node is not None:
            _walk(node, (), lines, set())
        loader = _Loader(text)
        try:
            return loader.get_single_data(), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise YamlError(f"1: not YAML: {error}") from None


def _walk(node: yaml.Node, path: tuple[str | int, ...], lines: Lines, parents: set[int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in parents:
        raise YamlError(f"{node.start_mark.line + 1}: an alias that contains itself")
    parents = parents | {id(node)}
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if name in seen and name != "<<":
                raise YamlError(f"{line}: the key {name} stands twice; remove one")
            seen.add(name)
            lines[(*path, name)] = line
            _walk(value, (*path, name), lines, parents)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), lines, parents)
