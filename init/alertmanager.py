"""Makes the alertmanager.yml that runs: channels without settings left out, lists expanded, secrets in files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.config.contacts import Told
from init import channels
from init.faults import Faults
from init.people import ADMINISTRATOR, People
from init.receivers import Receivers, named
from init.routes import Routes, time_intervals
from init.settings import Settings
from init.split import split
from init.yaml import dump, load


@dataclass(frozen=True)
class Rendered:
    """The configuration as text, the secrets it needs by their file's path, and the responder's contacts as JSON."""

    text: str
    secrets: Mapping[Path, str]
    contacts: str


def render(
    source: Path, settings: Settings, folder: Path, responder_token: str, told: Told | None = None, zone: str = "UTC"
) -> Rendered:
    """Renders the committed file for these settings; `folder` is where it will stand, with its secrets below.

    `told` is what monitoring.yml says of who is told, its hours in `zone`. Raises Faults where the committed file
    isn't one that can be rendered.
    """
    files = {"secrets/responder_token": responder_token}
    people = People((told or Told()).contacts, settings)
    document = split(build(load(source), settings, files, people, told or Told(), zone))
    secrets = {folder / name: content for name, content in files.items()}
    _absolute_files(document, folder)
    _check(document, secrets, source)
    return Rendered(dump(document, "alertmanager/alertmanager.yml"), secrets, people.contacts_json())


def build(
    committed: Mapping[str, Any], settings: Settings, files: dict[str, str], people: People, told: Told, zone: str
) -> dict[str, Any]:
    """The document that runs, but for `split`, made of the committed one; puts its secrets into `files`."""
    if settings.email:
        more = tuple(person.email for person in people.of(ADMINISTRATOR) if person.email)
        recipients = tuple(dict.fromkeys((*settings.email.recipients, *more)))
        settings = replace(settings, email=replace(settings.email, recipients=recipients))
    ready, shared = channels.ready(settings, files)
    written = committed.get("receivers", [])
    receivers = Receivers(written, ready, people, settings.addresses["responder"])
    routes = Routes(written, receivers, told.channels, told.quiet_hours)
    document = dict(committed)
    kept = {k: v for k, v in committed.get("global", {}).items() if not k.startswith(channels.PREFIXES)}
    document["global"] = kept | shared
    document["route"] = routes.of(committed.get("route", {}))
    intervals = [*committed.get("time_intervals", []), *time_intervals(told.quiet_hours, zone)]
    if intervals:
        document["time_intervals"] = intervals
    made = [receivers.make(one, receivers.of_table(one)) if named(one) else receivers.others(one) for one in written]
    document["receivers"] = [*made, *routes.made.values()]
    return document


def links(responder_url: str) -> str:
    """The template file with the define `responder_url`, the address that links in messages begin with."""
    # As a string of the template's language, so that it is escaped where it stands.
    return (
        "{{/* Where the inbox is. Made by `python -m init` from RESPONDER_URL. */}}\n"
        f'{{{{ define "responder_url" }}}}{{{{ {json.dumps(responder_url.rstrip("/"))} }}}}{{{{ end }}}}\n'
    )


def _absolute_files(value: Any, folder: Path) -> None:
    """Makes the path of each secret absolute: Alertmanager takes only some of them as relative to its file."""
    for holder, key in _files(value):
        holder[key] = str(folder / holder[key])


def _files(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, list):
        for item in value:
            yield from _files(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.endswith("_file") and isinstance(item, str):
                yield value, key
            else:
                yield from _files(item)


def _check(document: Mapping[str, Any], secrets: Mapping[Path, str], source: Path) -> None:
    """Alertmanager's own check passes with a secret's file missing, so it is checked here; and each receiver's name."""
    faults = []
    names = [receiver.get("name") for receiver in document["receivers"]]
    faults += [f"{source}: the receiver {name} is there twice." for name in set(names) if names.count(name) > 1]
    for name in _receivers(document.get("route", {})):
        if name not in names:
            faults.append(f"{source}: a route names the receiver {name}, which isn't there.")
    for holder, key in _files(document):
        path = Path(holder[key])
        given = secrets.get(path)
        if given is None and path.is_file():
            given = path.read_text(encoding="utf-8", errors="replace")
        if not given or not given.strip():
            faults.append(f"{source}: {key} names {path}, which isn't there or is empty.")
    if faults:
        raise Faults(faults)


def _receivers(route: Mapping[str, Any]) -> Iterator[str]:
    if "receiver" in route:
        yield route["receiver"]
    for child in route.get("routes", []):
        yield from _receivers(child)
