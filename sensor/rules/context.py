"""What reading a rule file needs: where problems go, what variables mean, the state of the rule in hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensor.rules.classification import DEFAULT, Classification
from sensor.rules.lists import Lists
from sensor.rules.outside import NOTHING, Outside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.rules.problems import Problems
    from sensor.rules.variables import Variables


@dataclass(slots=True)
class Context:
    """Passed to every reader."""

    problems: Problems
    variables: Variables
    classes: Mapping[str, Classification] = field(default_factory=lambda: DEFAULT)
    lists: Lists = field(default_factory=Lists)
    """Files that rules name."""
    outside: Outside = NOTHING
    """Files of the operator that rules may ask."""
    proto: str = "ip"
    """Protocol of the rule being read; decides which buffer a bare `content` means."""
    direction: str = ""
    """`to_server`, `to_client` or empty; decides the side of buffers that exist on both."""
    defined: set[str] = field(default_factory=set)
    """Names that `byte_extract` and `byte_math` of the rule have defined so far."""
