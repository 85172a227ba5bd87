"""The public names of the package, read from ``__all__``, and the pages that list them."""

from __future__ import annotations

import importlib
import inspect
import types
from pathlib import Path
from typing import Any

# What attributes and functions give: nobody makes one, so that no public module has the names.
GIVEN = [
    "wbce.decisions.ThresholdCurve",
    "wbce.decisions.ThresholdInterval",
    "wbce.reporting.Report",
    "wbce.reporting.Risk",
]

_TITLES = {
    "class": "Estimator",
    "function": "Functions",
    "error": "Errors",
    "warning": "Warnings",
}


def public_modules() -> list[str]:
    """Names of the public modules: the package, and the modules in its ``__all__``."""
    package = importlib.import_module("wbce")
    inside = [name for name in package.__all__ if inspect.ismodule(getattr(package, name))]
    return ["wbce", *(f"wbce.{name}" for name in inside)]


def public_names(module: str) -> list[str]:
    """Full names of what a public module has, without the modules in it."""
    room = importlib.import_module(module)
    return [
        f"{module}.{name}" for name in room.__all__ if not inspect.ismodule(getattr(room, name))
    ]


def everything_public() -> list[str]:
    """Full names of all public classes and functions."""
    names = [name for module in public_modules() for name in public_names(module)]
    return [*names, *GIVEN]


def named(name: str) -> Any:
    """What a full name names."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def kind(name: str) -> str:
    """Say what a name is: ``"class"``, ``"function"``, ``"error"`` or ``"warning"``."""
    thing = named(name)
    if not inspect.isclass(thing):
        return "function"
    if issubclass(thing, Warning):
        return "warning"
    return "error" if issubclass(thing, Exception) else "class"


def own_methods(name: str) -> list[str]:
    """Names of the public methods of a class that this package wrote, in the code's order.

    What a base class with a page of its own has, or Keras, is described there.
    """
    owner = named(name)
    if not inspect.isclass(owner):
        return []
    public = {named(other) for other in everything_public()}
    described: set[str] = set()
    own: list[type] = []
    for base in owner.__mro__:
        room = base.__module__.partition(".")[0]
        if base is not owner and (base in public or room in ("keras", "builtins")):
            described.update(dir(base))
        elif room == "wbce":
            own.append(base)
    methods = [
        attribute
        for base in own
        for attribute, value in vars(base).items()
        if isinstance(value, types.FunctionType | classmethod)
        and not attribute.startswith("_")
        and attribute not in described
    ]
    return list(dict.fromkeys(methods))


def write_pages(folder: Path) -> None:
    """Write the reference's index: a section a module, a table a kind of name."""
    lines = ["API", "===", "", "Every public name. What is not here may change without notice.", ""]
    for module in public_modules():
        room = importlib.import_module(module)
        lines += [module, "-" * len(module), ""]
        lines += [(room.__doc__ or "").strip().partition("\n")[0], ""]
        names = public_names(module)
        for one_kind, title in _TITLES.items():
            of_kind = [name for name in names if kind(name) == one_kind]
            if of_kind and module == "wbce":
                lines += [title, "~" * len(title), ""]
            lines += _table(of_kind)
    title = "What attributes and functions give"
    lines += [title, "-" * len(title), "", *_table(GIVEN)]
    text = "\n".join(lines)
    page = folder / "index.rst"
    for left in folder.glob("generated/*.rst"):  # of a name that was public at the last build
        if left.stem not in everything_public():
            left.unlink()
    if not page.exists() or page.read_text() != text:
        folder.mkdir(exist_ok=True)
        page.write_text(text)


def _table(names: list[str]) -> list[str]:
    if not names:
        return []
    return [
        ".. autosummary::",
        "   :toctree: generated",
        "   :nosignatures:",
        "",
        *(f"   {name}" for name in names),
        "",
    ]
