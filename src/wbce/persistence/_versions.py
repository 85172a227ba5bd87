"""The form in which estimators are stored, with its number."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

KIND = "$"
"""The key of a dict that stands for something else, with the name of what it is."""

FORM = 1
"""Raised when a stored estimator changes so that older releases cannot read it; then
`attributes_of` turns what those wrote into today's form."""

_MADE_WITH = ("wbce", "keras", "numpy", "scikit-learn", "tensorflow")


def state_of(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes as data, with the number of the form and the versions that wrote it."""
    made_with = {name: version(name) for name in _MADE_WITH}
    return {"wbce_form": FORM, "made_with": made_with, "attributes": attributes}


def attributes_of(state: Any) -> dict[str, Any]:
    """Attributes as data, from a state of any released version.

    Raises
    ------
    ValueError
        If it is of a later version, or of none.
    """
    form = state.get("wbce_form") if isinstance(state, dict) else None
    if type(form) is not int or form < 1 or not isinstance(state.get("attributes"), dict):
        raise ValueError(
            "This is not the state of a WeightedKerasClassifier, or one of a development version "
            "before 0.1.0, whose files are not read. Fit and store it again."
        )
    if form > FORM:
        made_with = state.get("made_with")
        made_with = made_with if isinstance(made_with, dict) else {}
        raise ValueError(
            f"This estimator was stored by wbce {made_with.get('wbce', '(not known)')} in form "
            f"{form}, and wbce {version('wbce')} reads forms up to {FORM}. Upgrade: "
            "pip install --upgrade wbce."
        )
    attributes: dict[str, Any] = state["attributes"]
    return attributes
