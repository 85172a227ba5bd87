"""Which classes of this package a stored estimator may hold, and by what names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)


@dataclass(frozen=True)
class Kind:
    """How values of a class are turned into data and back.

    Attributes
    ----------
    name : str
        In files: it stays the same whatever becomes of the class's own name.
    cls : type
    """

    name: str
    cls: type

    def state(self, value: Any) -> dict[str, Any]:
        """What the value consists of."""
        if hasattr(value, "stored_state"):
            state: dict[str, Any] = value.stored_state()
            return state
        if is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        return dict(vars(value))

    def value(self, state: dict[str, Any]) -> Any:
        """Make the value anew."""
        if hasattr(self.cls, "from_stored_state"):
            return self.cls.from_stored_state(state)
        if is_dataclass(self.cls):
            return self.cls(**state)
        covering = [name for name in state if callable(getattr(self.cls, name, None))]
        if covering:
            raise ValueError(f"a {self.name} has values in place of the methods {covering}")
        value: Any = object.__new__(self.cls)
        value.__dict__.update(state)
        return value


kinds_by_name: dict[str, Kind] = {}
kinds_by_class: dict[type, Kind] = {}


def storable(name: str) -> Callable[[Class], Class]:
    """Let values of a class be stored under a name.

    As its attributes or a dataclass's fields; or as its methods ``stored_state``, and
    ``from_stored_state`` of the class, say.
    """

    def register(cls: Class) -> Class:
        kinds_by_name[name] = kinds_by_class[cls] = Kind(name, cls)
        return cls

    return register
