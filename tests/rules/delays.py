"""From cause to message at worst: scrape, evaluation, `for` and group_wait of each alert, derived from the files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import promql_parser as parser

from tests.rules.promql import bare, names, parse, walk
from tests.rules.series import Group, configuration, emitted, job_of, jobs, severities

# Who is watched, limits and switches: an alert is not caused by them.
ANCHORS = {"bot:threshold", "bot:maintenance", "monitoring:target"}
# These answer with the newest reading at once: an extreme above its limit, a count, a presence.
AT_ONCE = {"last_over_time", "max_over_time", "count_over_time", "present_over_time"}
# How much of a window passes at worst before an alert's cause shows in it, where that is not all of it.
# By alert or recorded series, function and window.
WINDOWS: dict[tuple[str, str, str], tuple[float, str]] = {
    ("SourceFailing", "increase", "10m"): (360, "the third failed reading of what is read every 120 s, the model's"),
    ("bot:response_time_seconds:p95", "rate", "10m"): (30, "slow ones are over 5 % of those of 10 min after 30 s"),
    ("NotificationsFailing", "increase", "15m"): (0, "the first message that was given up counts"),
    ("NotificationsFailing", "increase", "17m"): (120, "what began two minutes ago and hasn't ended since hangs"),
    ("NotificationsFailing", "increase", "5m"): (300, "each attempt of five minutes must have failed"),
    ("RuleEvaluationFailing", "increase", "5m"): (0, "the first failure counts"),
}
# What is read on the way and is no way of the cause. By alert or recorded series, and what it reads.
NO_WAY: dict[tuple[str, str], str] = {
    (
        "bot:observed:timestamp_seconds",
        "up",
    ): "where a bot has no reading at all; two minutes of its age pass",
    (
        "condition:firing_since:timestamp_seconds",
        "alert:held_back:timestamp_seconds",
    ): "what was held back begins anew",
}
# What has no worst delay: the cause is a matter of degree, or comes with others. In words, by alert.
UNTIMED: dict[str, str] = {
    "ErrorBudgetBurn": "the faster it burns, the sooner",
    "EscalationRepeated": "once it has fired so often",
    "BotInMaintenance": "while it lasts",
    "Watchdog": "always fires, while all works",
}
# Limits that are an age: the alert waits so long by its meaning.
AGES = {"bot_down_time", "data_freshness"}
# They say "no" only when the time of a scrape is over.
WAITING_FOR_AN_ANSWER = {"up", "trading_bot_up"}


class Path(NamedTuple):
    """The way from a reading to a rule's result, in seconds."""

    scrape: float = 0
    evaluation: float = 0
    windows: float = 0
    hang: float = 0

    @property
    def total(self) -> float:
        """All but what a hanging target adds."""
        return self.scrape + self.evaluation + self.windows


class Route(NamedTuple):
    """Where and when a message goes."""

    receiver: str
    group_wait: float
    group_interval: float


class Age(NamedTuple):
    """What an age is compared with: some number of seconds between two, or a setting times a number."""

    least: float = 0
    most: float = 0
    setting: str = ""
    times: float = 1


class Delay(NamedTuple):
    """How long after its cause an alert's first message is sent, at worst."""

    path: Path
    waiting: float  # its `for`, or the age that it names itself
    ages: tuple[Age, ...]  # those that are no single number; of two the sooner counts
    group_wait: float

    @property
    def seconds(self) -> float:
        """All together, without `ages`."""
        return self.path.total + self.waiting + self.group_wait

    @property
    def own(self) -> float:
        """What the machinery adds to what the alert is meant to wait."""
        return self.path.scrape + self.path.evaluation + self.group_wait


def seconds(duration: str | None) -> float:
    """A duration of Prometheus or Alertmanager."""
    return float(parser.parse_duration(duration).total_seconds()) if duration and duration != "0s" else 0.0


def interval(group: Group) -> float:
    """How often a group is evaluated."""
    return seconds(group.interval or configuration()["global"]["evaluation_interval"])


def delay(rule: Mapping[str, Any], group: Group, groups: Sequence[Group], route: Route, severity: str = "") -> Delay:
    """The delay of an alert of one severity."""
    root = parse(rule["expr"])
    path = max(_paths(root, rule["alert"], group, groups, frozenset()), key=lambda path: path.total, default=Path())
    path = path._replace(evaluation=path.evaluation + interval(group))
    # It fires with the first evaluation at or after the end of its `for`.
    waiting = -(-seconds(rule.get("for")) // interval(group)) * interval(group)
    ages = tuple(dict.fromkeys(_ages(root, severity, groups)))
    if len(ages) == 1 and ages[0].least == ages[0].most and not ages[0].setting:
        waiting, ages = waiting + ages[0].most, ()
    return Delay(path, waiting, ages, route.group_wait)


def _ages(node: Any, severity: str, groups: Sequence[Group]) -> Iterator[Age]:
    """The ages that an alert compares with."""
    node = bare(node)
    if not isinstance(node, parser.BinaryExpr):
        return
    if str(node.op) in ("and", "unless", "or"):
        yield from _ages(node.lhs, severity, groups)
        if str(node.op) == "or":
            yield from _ages(node.rhs, severity, groups)
    elif str(node.op) in (">", ">=") and all(_fits(each, severity) for each in _selectors(node.lhs)):
        of_time = any(isinstance(each, parser.Call) and each.func.name == "time" for each in walk(node.lhs))
        limit, times = bare(node.rhs), 1.0
        if (
            isinstance(limit, parser.BinaryExpr)
            and str(limit.op) == "*"
            and isinstance(limit.lhs, parser.NumberLiteral)
        ):
            limit, times = bare(limit.rhs), limit.lhs.val
        if isinstance(limit, parser.NumberLiteral) and of_time:
            yield Age(limit.val, limit.val)
        for each in _selectors(limit):
            named = [m.value for m in each.matchers.matchers if m.name in ("threshold", "target")]
            if each.name in ANCHORS:
                yield from (Age(setting=name, times=times) for name in named if of_time or name in AGES)
            elif of_time and (numbers := _numbers(each.name, severity, groups)):
                yield Age(times * min(numbers), times * max(numbers))


def _numbers(record: str, severity: str, groups: Sequence[Group]) -> list[float]:
    """What a recorded table of numbers (`x{...} * 0 + 600 or ...`) has for the alerts of a severity, yours too."""
    rules = [rule for group in groups for rule in group.rules]
    asked = [{"condition": "yours", "severity": severity}]
    for rule in rules:
        if "alert" in rule and "escalation" not in rule.get("labels", {}) and severity in severities(rule):
            asked.append({"condition": rule["labels"].get("condition", ""), "severity": severity})
    (table,) = [parse(rule["expr"]) for rule in rules if rule.get("record") == record]
    rows = list(_sides(table))
    found = (next((row.rhs.val for row in rows if _is_for(row, labels)), None) for labels in asked)
    return [number for number in found if number is not None]


def _sides(node: Any) -> Iterator[Any]:
    node = bare(node)
    if isinstance(node, parser.BinaryExpr) and str(node.op) == "or":
        yield from _sides(node.lhs)
        yield from _sides(node.rhs)
    else:
        yield node


def _is_for(row: Any, labels: Mapping[str, str]) -> bool:
    (selector,) = _selectors(row)
    return all(_matches(m, labels[m.name]) for m in selector.matchers.matchers)


def _selectors(node: Any) -> list[Any]:
    return [each for each in walk(node) if isinstance(each, parser.VectorSelector)]


def _fits(selector: Any, severity: str) -> bool:
    """Whether a selector lets a severity through."""
    return not severity or all(_matches(m, severity) for m in selector.matchers.matchers if m.name == "severity")


def _matches(matcher: Any, value: str) -> bool:
    if matcher.op in (parser.MatchOp.Re, parser.MatchOp.NotRe):
        return bool(re.fullmatch(matcher.value, value)) == (matcher.op == parser.MatchOp.Re)
    return (matcher.value == value) == (matcher.op == parser.MatchOp.Equal)


def _paths(node: Any, of: str, group: Group, groups: Sequence[Group], seen: frozenset[str]) -> Iterator[Path]:
    """The ways from readings to a rule's expression. `of` is the rule's name."""
    match node:
        case parser.Call() if any(isinstance(bare(arg), parser.MatrixSelector) for arg in node.args):
            (matrix,) = [bare(arg) for arg in node.args if isinstance(bare(arg), parser.MatrixSelector)]
            for path in _paths(matrix.vector_selector, of, group, groups, seen):
                yield path._replace(windows=path.windows + _window(node.func.name, matrix.range, of))
        case parser.Call():
            for arg in node.args:
                yield from _paths(arg, of, group, groups, seen)
        case parser.BinaryExpr() if str(node.op) in ("and", "unless"):
            # What stands behind them lets through what is there before, unless it is the cause of a bare anchor.
            found = list(_paths(node.lhs, of, group, groups, seen))
            yield from found or _paths(node.rhs, of, group, groups, seen)
        case parser.BinaryExpr():
            yield from _paths(node.lhs, of, group, groups, seen)
            yield from _paths(node.rhs, of, group, groups, seen)
        case parser.AggregateExpr() | parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            yield from _paths(node.expr, of, group, groups, seen)
        case parser.VectorSelector() if node.offset is None:
            if (of, node.name) not in NO_WAY:
                yield from _of_selector(node, of, group, groups, seen)


def _of_selector(node: Any, of: str, group: Group, groups: Sequence[Group], seen: frozenset[str]) -> Iterator[Path]:
    (name,) = names(node)
    name = node.name or name
    if name in ANCHORS or name in seen:
        return
    if name in ("ALERTS", "ALERTS_FOR_STATE"):
        yield Path()
    elif name in emitted():
        scraped = [jobs()[job] for job in _jobs(node, name)]
        hang = max(seconds(job["scrape_timeout"]) for job in scraped) if name in WAITING_FOR_AN_ANSWER else 0
        yield Path(scrape=max(seconds(job["scrape_interval"]) for job in scraped), hang=hang)
    else:
        for other in groups:
            for at, rule in enumerate(other.rules):
                if rule.get("record") == name:
                    # Of the same group, before the rule that asks, it is there at once. A value of its own is no cause.
                    at_once = other.name == group.name and at < _place(of, group)
                    more = 0 if at_once else interval(other)
                    for path in _paths(parse(rule["expr"]), name, other, groups, seen | {name}):
                        yield path._replace(evaluation=path.evaluation + more)


def _place(name: str, group: Group) -> int:
    return next(at for at, rule in enumerate(group.rules) if name in (rule.get("record"), rule.get("alert")))


def _jobs(node: Any, name: str) -> list[str]:
    if name != "up":
        return [job_of(name)]
    wanted = [m.value for m in node.matchers.matchers if m.name == "job"]
    return [job for job in jobs() if all(re.fullmatch(value, job) for value in wanted)]


def _window(function: str, length: Any, of: str) -> float:
    if function in AT_ONCE:
        return 0
    given = WINDOWS.get((of, function, parser.display_duration(length)))
    return given[0] if given else float(length.total_seconds())


def route(labels: Mapping[str, str], tree: Mapping[str, Any], above: Mapping[str, Any] | None = None) -> Route:
    """The first route of alertmanager.yml that an alert with these labels takes."""
    own = {**(above or {}), **tree}
    for child in tree.get("routes", ()):
        if all(matches(matcher, labels) for matcher in child.get("matchers", ())):
            return route(labels, child, {key: value for key, value in own.items() if key not in ("routes", "matchers")})
    waits = (seconds(own.get(key, default)) for key, default in (("group_wait", "30s"), ("group_interval", "5m")))
    return Route(own["receiver"], *waits)


def matches(matcher: str, labels: Mapping[str, str]) -> bool:
    """Whether labels fit a matcher of Alertmanager."""
    parts = re.fullmatch(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*', matcher)
    assert parts, matcher
    value = labels.get(parts[1], "")
    equal = bool(re.fullmatch(parts[3], value)) if "~" in parts[2] else value == parts[3]
    return equal != parts[2].startswith("!")
