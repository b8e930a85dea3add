"""A channel that can hang has routes of its own: each alert is told to the same people, and silences only itself."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from init.split import HANGING, split
from responder.acknowledge.memory import memory
from tests.alertmanager.test_nobody_unheard import CASES, Rendered, alerts
from tests.alertmanager.walk import behind, heard, routes

MANY = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
CONFIGS = {
    "email": {"email_configs": [{"to": "a@example.org"}, {"to": "b@example.org"}]},
    "telegram": {"telegram_configs": [{"chat_id_file": "secrets/telegram_chat_id"}]},
    "discord": {"discord_configs": [{"webhook_url_file": "secrets/discord_webhook_url"}]},
    "inbox": {"webhook_configs": [{"url": "http://responder:8080/api/v1/alerts"}]},
}
LABELS = [{"a": a, "b": b} for a in "123" for b in "123"]
NAMES = ["x", "y", "z", "w"]


def same(before: dict[str, Any], after: dict[str, Any], labels: dict[str, str]) -> None:
    """Heard by the same, as often, and remembered as long; but no channel waits for one that can hang."""
    assert sorted(heard(after, labels)) == sorted(heard(before, labels)), labels
    assert memory(after, labels) == memory(before, labels)
    receivers = {receiver["name"]: receiver for receiver in after["receivers"]}
    for route in routes(after, labels):
        channels = {channel for channel, *_ in behind(receivers[route["receiver"]])}
        assert len(channels) < 2 or not channels & set(HANGING), (labels, channels)


@MANY
@given(CASES)
def test_each_alert_is_heard_by_the_same(case: Rendered) -> None:
    for labels in alerts():
        same(case.whole, case.document, labels)
    names = [receiver["name"] for receiver in case.document["receivers"]]
    assert len(set(names)) == len(names)


def of_yours(below: st.SearchStrategy[dict[str, Any]] | None) -> st.SearchStrategy[dict[str, Any]]:
    """A route as somebody may write it: with or without what others inherit, and `continue` anywhere."""
    matcher = st.builds("{}={}".format, st.sampled_from("ab"), st.sampled_from("12"))
    optional = {
        "matchers": st.lists(matcher, max_size=2),
        "receiver": st.sampled_from(NAMES),
        "continue": st.booleans(),
        "group_interval": st.sampled_from(["1m", "1h"]),
        "mute_time_intervals": st.just(["night"]),
    }
    if below is not None:
        optional["routes"] = st.lists(below, max_size=3)
    return st.fixed_dictionaries({}, optional=optional)


@MANY
@given(
    st.lists(of_yours(of_yours(of_yours(None))), max_size=4),
    st.lists(st.sets(st.sampled_from(sorted(CONFIGS))), min_size=len(NAMES), max_size=len(NAMES)),
)
def test_so_it_is_with_any_routes(below: list[dict[str, Any]], channels: list[set[str]]) -> None:
    """Also where a route lets go on what no other takes: it isn't told above as well."""
    receivers = []
    for name, chosen in zip(NAMES, channels, strict=True):
        configs = {key: value for channel in sorted(chosen) for key, value in CONFIGS[channel].items()}
        told = {key: [{**each, "send_resolved": True} for each in value] for key, value in configs.items()}
        receivers.append({"name": name, **told})
    root = {"receiver": "x", "group_interval": "5m", "repeat_interval": "4h", "routes": below}
    before = {"route": root, "receivers": receivers}
    after = split(before)
    for labels in LABELS:
        same(before, after, labels)


def test_what_need_not_be_split_stays_as_it_is() -> None:
    document = {
        "route": {"receiver": "mail", "routes": [{"matchers": ["a=1"], "receiver": "others"}]},
        "receivers": [
            {"name": "mail", **CONFIGS["email"]},
            {"name": "others", **CONFIGS["discord"], **CONFIGS["inbox"]},
        ],
    }
    assert split(document) == document
