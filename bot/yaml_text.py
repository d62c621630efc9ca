"""YAML, read by libyaml where PyYAML was built with it: ten times as fast, at every start."""

from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

__all__ = ["SafeLoader", "read_yaml", "trap_in"]

DEEPEST = 30
"""Levels of nesting: libyaml dies of its own recursion at some thousands."""


def read_yaml(text: str) -> Any:
    """What a text holds; plain values only. Raises yaml.YAMLError."""
    return yaml.load(text, SafeLoader)


def trap_in(text: str) -> tuple[int, str] | None:
    """(line, what it is) of what no honest text of ours holds, and what reading it may die of."""
    depth = 0
    try:
        for event in yaml.parse(text, SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                return line, "`*name` repeats what stands elsewhere; write it out"
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                return line, f"this is nested more than {DEEPEST} levels deep"
    except yaml.YAMLError:
        return None  # no YAML at all: whoever reads it says so
    return None
