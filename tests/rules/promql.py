"""Reads PromQL for the tests of rules and dashboards: its parts, and the labels that its result can have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import promql_parser as parser

# A label's values, where they are known; None where they are anything.
Labels = Mapping[str, frozenset[str] | None]
SET_OPERATORS = {"and", "unless", "or"}
COMPARISONS = {"==", "!=", "<", "<=", ">", ">="}
SELECTING = {"topk", "bottomk", "limitk", "limit_ratio"}


def parse(expression: str) -> Any:
    """The expression's tree, without the parentheses at its root."""
    return bare(parser.parse(expression))


def bare(node: Any) -> Any:
    """A node without parentheses around it."""
    while isinstance(node, parser.ParenExpr):
        node = node.expr
    return node


def children(node: Any) -> list[Any]:
    """The parts of a node."""
    match node:
        case parser.BinaryExpr():
            return [node.lhs, node.rhs]
        case parser.AggregateExpr():
            return [node.expr, *([node.param] if isinstance(node.param, parser.Expr) else [])]
        case parser.Call():
            return list(node.args)
        case parser.MatrixSelector():
            return [node.vector_selector]
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            return [node.expr]
    return []


def walk(node: Any) -> Iterator[Any]:
    """A node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def names(selector: Any) -> list[str]:
    """The name, or patterns of names, of a selector."""
    stated = [m.value for m in selector.matchers.matchers if m.name == "__name__"]
    return [*([re.escape(selector.name)] if selector.name else []), *stated]


class UnknownError(Exception):
    """What an expression names and nobody emits."""


class Typing:
    """Derives the labels of expressions, and refuses names that nothing has.

    Args:
        series: the labels of each series.
        strict: whether what is not there is refused; else it has no labels.
        variable: whether a matcher's value is a dashboard's variable, so not to be judged.
    """

    def __init__(
        self, series: Mapping[str, Labels], strict: bool = True, variable: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._series = series
        self._strict = strict
        self._variable = variable

    def labels(self, node: Any) -> Labels:
        """The labels that the result of an expression can have."""
        match node:
            case parser.VectorSelector():
                return self._selector(node)
            case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
                return self.labels(node.expr)
            case parser.MatrixSelector():
                return self.labels(node.vector_selector)
            case parser.AggregateExpr():
                return self._aggregate(node)
            case parser.BinaryExpr():
                return self._binary(node)
            case parser.Call():
                return self._call(node)
        return {}

    def _selector(self, node: Any) -> Labels:
        found = [self._series[name] for pattern in names(node) for name in self._series if re.fullmatch(pattern, name)]
        if not found and self._strict:
            raise UnknownError(f"nothing emits {' '.join(names(node))}")
        labels = dict(_union(*found))
        for matcher in node.matchers.matchers:
            if matcher.name == "__name__":
                continue
            if self._strict and matcher.name not in labels:
                raise UnknownError(f"{node.prettify()} has no label {matcher.name}")
            known = labels.get(matcher.name)
            if known is None or self._variable(matcher.value):
                continue
            if self._strict:
                _check_value(node.prettify(), matcher, known)
            labels[matcher.name] = frozenset(value for value in known if _fits(matcher, value))
        return labels

    def _aggregate(self, node: Any) -> Labels:
        labels = self.labels(node.expr)
        if isinstance(node.param, parser.Expr):
            self.labels(node.param)
        named = list(node.modifier.labels) if node.modifier else []
        self._has(labels, named, node)
        if str(node.op) in SELECTING:
            return labels
        if node.modifier and node.modifier.type == parser.AggModifierType.Without:
            return {label: values for label, values in labels.items() if label not in named}
        kept = _only(labels, named)
        if str(node.op) == "count_values":
            kept[node.param.val] = None
        return kept

    def _binary(self, node: Any) -> Labels:
        left, right = self.labels(node.lhs), self.labels(node.rhs)
        if _is_scalar(node.lhs) or _is_scalar(node.rhs):
            return right if _is_scalar(node.lhs) else left
        modifier = node.modifier
        matching = modifier.matching if modifier else None
        on = matching is not None and matching.type == parser.LabelModifierType.Include
        named = list(matching.labels) if matching else []
        if on:
            self._has(left, named, node)
            self._has(right, named, node)
        elif matching:
            self._has(_union(left, right), named, node)
        if str(node.op) in SET_OPERATORS:
            return _union(left, right) if str(node.op) == "or" else left
        added = list(modifier.group_labels or []) if modifier else []
        match modifier.card if modifier else None:
            case parser.VectorMatchCardinality.ManyToOne:
                self._has(right, added, node)
                return {**left, **_only(right, added)}
            case parser.VectorMatchCardinality.OneToMany:
                self._has(left, added, node)
                return {**right, **_only(left, added)}
        if on:
            return _only(left, named)
        return {label: values for label, values in left.items() if label not in named}

    def _call(self, node: Any) -> Labels:
        args = node.args
        function = node.func.name
        match function:
            case "label_replace":
                labels = self.labels(args[0])
                target, replacement, source, pattern = (arg.val for arg in args[1:])
                self._has(labels, [source] if source else [], node)
                if "$" in replacement:
                    return {**labels, target: None}
                before = labels.get(target, frozenset())
                always = not source and not pattern
                values = frozenset({replacement}) | (frozenset() if always or before is None else before)
                return {**labels, target: None if before is None and not always else values}
            case "label_join":
                labels = self.labels(args[0])
                # What these lack counts as empty; but it must be a label of something.
                self._has(_union(labels, *self._series.values()), [arg.val for arg in args[3:]], node)
                return {**labels, args[1].val: None}
            case "absent" | "absent_over_time":
                self.labels(args[0])
                selectors = [n for n in walk(args[0]) if isinstance(n, parser.VectorSelector)]
                equal = [m for s in selectors for m in s.matchers.matchers if m.op == parser.MatchOp.Equal]
                return {m.name: frozenset({m.value}) for m in equal}
        results = [self.labels(arg) for arg in args]
        if function in ("time", "vector", "scalar", "pi"):
            return {}
        labels = next((r for arg, r in zip(args, results, strict=True) if not _is_scalar(arg)), {})
        if function == "histogram_quantile":
            self._has(labels, ["le"], node)
            return {label: values for label, values in labels.items() if label != "le"}
        return labels

    def _has(self, labels: Labels, named: list[str], node: Any) -> None:
        for label in named:
            if self._strict and label not in labels:
                raise UnknownError(f"no label {label} in what it is asked of: {node.prettify()}")


def _is_scalar(node: Any) -> bool:
    match bare(node):
        case parser.NumberLiteral() | parser.StringLiteral():
            return True
        case parser.UnaryExpr() as unary:
            return _is_scalar(unary.expr)
        case parser.Call() as call:
            return call.func.name in ("time", "scalar", "pi")
        case parser.BinaryExpr() as binary:
            return _is_scalar(binary.lhs) and _is_scalar(binary.rhs)
    return False


def _union(*all_labels: Labels) -> Labels:
    union: dict[str, frozenset[str] | None] = {}
    for labels in all_labels:
        for label, values in labels.items():
            before = union.get(label, frozenset())
            union[label] = None if before is None or values is None else before | values
    return union


def _only(labels: Labels, named: list[str]) -> dict[str, frozenset[str] | None]:
    return {label: labels[label] for label in named if label in labels}


def _fits(matcher: Any, value: str) -> bool:
    if matcher.op in (parser.MatchOp.Re, parser.MatchOp.NotRe):
        return bool(re.fullmatch(matcher.value, value)) == (matcher.op == parser.MatchOp.Re)
    return (matcher.value == value) == (matcher.op == parser.MatchOp.Equal)


def _check_value(where: str, matcher: Any, known: frozenset[str]) -> None:
    """A matcher's value is one that the label has, or the empty one of a series without it."""
    regex = matcher.op in (parser.MatchOp.Re, parser.MatchOp.NotRe)
    # Each word of an alternation must be there; another pattern must fit one at least.
    wanted = matcher.value.split("|") if re.fullmatch(r"[\w|.-]*", matcher.value) or not regex else [matcher.value]
    for value in wanted if regex else [matcher.value]:
        fits = value in known or (regex and any(re.fullmatch(value, one) for one in known))
        if value and not fits:
            raise UnknownError(f"{where}: {matcher.name} is never {value}, only {', '.join(sorted(known))}")
