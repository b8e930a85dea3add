"""The reference of all metrics, for docs/metrics.md."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.metrics import GROUPS


def reference() -> str:
    """A table for each group: names, labels, kinds and meanings."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield "`python -m exporter metrics` prints this page. A value that the source doesn't give has no series. Units are"
    yield "seconds, bytes, ratios from 0 to 1, and money in the bot's account currency."
    for group, module in GROUPS.items():
        meaning = (module.__doc__ or "").partition(": ")[2].replace("\n", " ")
        yield f"\n## {group}\n\n{meaning[:1].upper()}{meaning[1:]}"
        yield "\n| metric | labels | kind | meaning |"
        yield "|---|---|---|---|"
        for family in sorted(module.FAMILIES):
            labels = ", ".join(f"`{label}`" for label in (("bot",) * family.of_bot) + family.labels)
            yield f"| `{family.name}` | {labels} | {family.kind} | {family.help} |"
