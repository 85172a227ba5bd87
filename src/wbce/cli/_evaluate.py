"""``wbce evaluate`` and ``wbce report``: what a model does on labelled rows of a file."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from wbce.cli._errors import UsageError, listed
from wbce.cli._estimator import check_costs, cost_matrix, pos_of_two
from wbce.cli._model_file import check_out_path
from wbce.cli._scored_file import labels_of, read_model_and_rows, say
from wbce.cli._target import label_called
from wbce.cli._training_rows import weights_of


def run(options: Namespace) -> int:
    """Print what a model does on labelled rows, as text or JSON.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    CommandError
    """
    report = _report(options)
    print(json.dumps(report.to_dict(), indent=2) if options.json else str(report))
    return 0


def run_report(options: Namespace) -> int:
    """Write the report as one HTML page.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    CommandError
    """
    if not options.out.endswith((".html", ".htm")):
        raise UsageError(f"--out {options.out} is not allowed: its name must end in .html.")
    check_out_path(options.out, options.force)
    _report(options).save(options.out)
    say(options, f"the report is in {options.out}: open it in a browser.")
    return 0


def _report(options: Namespace) -> Any:
    import wbce

    model, table, X = read_model_and_rows(options)
    y = labels_of(model, table, options.target or model.target.name)
    arguments: dict[str, Any] = {}
    if options.weights is not None:
        arguments["sample_weight"] = weights_of(table, options.weights)
    classes = model.classifier.classes_
    if options.label is not None:
        label = label_called(options.label, classes, "--label", model.target.name)
        arguments["label"] = label
        if len(classes) == 2 and label != model.classifier.pos_label_:
            raise UsageError(
                f"--label {options.label}: of two classes the positive one is looked at, which is "
                f"{model.classifier.pos_label_!s}. Leave --label out, or fit with --pos-label "
                f"{options.label}."
            )
    elif len(classes) > 2:
        raise UsageError(
            f"The model has {len(classes)} classes. Pass --label, the one that is compared with "
            f"the rest: {listed(classes.tolist())}."
        )
    if options.per_day is not None:
        arguments["per_day"] = options.per_day
    costs = costs_of(options, model.classifier)
    if costs is not None:
        arguments["cost_matrix"] = costs
    return wbce.report(model.estimator, X, y, **arguments)


def costs_of(options: Namespace, classifier: Any) -> list[list[float]] | None:
    """A cost matrix in the order of the classes, or None.

    Raises
    ------
    UsageError
        If one of two costs is missing, or there are more than two classes.
    """
    check_costs(options)
    if options.cost_fp is None:
        return None
    pos_label = getattr(classifier, "pos_label_", None)
    second = pos_of_two(classifier.classes_.tolist(), pos_label) == 1
    return cost_matrix(options.cost_fp, options.cost_fn, second)
