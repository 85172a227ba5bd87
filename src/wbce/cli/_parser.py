"""The options of every command."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

MODELS = ("ensemble", "mlp", "linear")
LOSSES = (
    "weighted_bce", "focal", "asymmetric", "logit_adjusted", "ldam", "poly1", "cost_sensitive",
    "tversky", "soft_fbeta", "smooth_ap",
)  # fmt: skip
STRATEGIES = ("balanced", "sqrt", "log", "effective")
SCORINGS = (
    "average_precision", "roc_auc", "neg_log_loss", "neg_brier_score", "f1", "matthews_corrcoef",
    "balanced_accuracy",
)  # fmt: skip
_EXAMPLES = """examples:
  wbce fit cards.csv --target fraud --out model.wbce
  wbce evaluate model.wbce later.csv --target fraud
  wbce predict model.wbce new.csv --out predictions.csv

exit status: 0 done, 1 the data or the fit failed, 2 wrong options, 130 after Ctrl-C
"""


def make_parser(version: str) -> argparse.ArgumentParser:
    """Make the parser; what it returns says in ``run`` which function does the command."""
    parser = argparse.ArgumentParser(
        prog="wbce",
        description="Imbalanced classification with Keras networks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_fit(commands)
    _add_predict(commands)
    _add_evaluate(commands)
    _add_report(commands)
    _add_tune(commands)
    _add_demo(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--debug", action="store_true", help="show where in the code an error comes from"
        )
    return parser


def _add_fit(commands: Any) -> None:
    parser = commands.add_parser(
        "fit",
        usage="wbce fit DATA --target COLUMN --out MODEL [options]",
        help="fit a model on a CSV or Parquet file",
        description="Fits a model, chooses its threshold on rows it has not seen, and writes it.",
    )
    _add_data(parser)
    _add_training(parser)
    _add_threshold(parser)
    parser.add_argument(
        "--loss", choices=LOSSES, default="weighted_bce", help="default: %(default)s"
    )
    parser.add_argument(
        "--class-weight",
        choices=STRATEGIES,
        help="weights of the classes in training; by default none, see wbce tune",
    )
    parser.add_argument(
        "--pos-weight",
        type=_number_or(STRATEGIES, "a number above 0", lambda x: x > 0),
        metavar="NUMBER",
        help="weight of a positive row in units of a negative row's, or one of: "
        + ", ".join(STRATEGIES),
    )
    parser.add_argument(
        "--gamma", type=_number("0 or more", lambda x: x >= 0), help="of --loss focal; default: 2"
    )
    parser.set_defaults(run="_fit.run")


def _add_tune(commands: Any) -> None:
    parser = commands.add_parser(
        "tune",
        usage="wbce tune DATA --target COLUMN --out MODEL [options]",
        help="search pos_weight and gamma, and fit the best",
        description="Cross-validates every pos_weight with every gamma of the focal loss (0 is "
        "cross-entropy), prints the scores, fits the best on all rows and writes it.",
    )
    _add_data(parser)
    _add_training(parser)
    _add_threshold(parser)
    parser.add_argument(
        "--pos-weight",
        dest="pos_weights",
        type=_numbers("above 0", lambda x: x > 0),
        metavar="A,B,...",
        help="default: 1, the root of the imbalance, and the imbalance itself",
    )
    parser.add_argument(
        "--gamma",
        dest="gammas",
        type=_numbers("0 or more", lambda x: x >= 0),
        default=[0.0, 1.0, 2.0],
        metavar="A,B,...",
        help="default: 0,1,2",
    )
    parser.add_argument("--cv", type=_whole(2), default=5, help="folds; default: %(default)s")
    parser.add_argument(
        "--scoring", choices=SCORINGS, default="average_precision", help="default: %(default)s"
    )
    parser.add_argument(
        "--jobs", type=_whole(1), default=1, help="fits side by side; default: %(default)s"
    )
    parser.set_defaults(run="_tune.run")


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        usage="wbce predict MODEL DATA [--out FILE] [options]",
        help="probabilities and decisions for the rows of a file",
        description="Writes the probability of the positive class (of every class, if there are "
        "more than two) and the decision, a row for each row of DATA.",
    )
    _add_model(parser)
    parser.add_argument(
        "--out", metavar="FILE", help="a .csv, .csv.gz, .tsv or .parquet; default: standard output"
    )
    parser.add_argument("--proba-only", action="store_true", help="leave out the decision")
    _add_columns(parser, "--keep", "columns of DATA to write beside, such as a row's number")
    _add_force(parser)
    parser.set_defaults(run="_predict.run")


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        usage="wbce evaluate MODEL DATA [options]",
        help="how good a model is on labelled rows, as text",
        description="Prints metrics with intervals, beside what constant answers reach.",
    )
    _add_scoring(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run="_evaluate.run")


def _add_report(commands: Any) -> None:
    parser = commands.add_parser(
        "report",
        usage="wbce report MODEL DATA --out FILE [options]",
        help="the same with curves and a slider for the threshold, as one HTML page",
        description="Writes one HTML page that needs no network.",
    )
    _add_scoring(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="an .html file")
    _add_force(parser)
    parser.set_defaults(run="_evaluate.run_report")


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="fit, tune, save and load a classifier on real data, in about half a minute",
        description="Finds the eights among scikit-learn's handwritten digits, made 1 in 20.",
    )
    parser.add_argument(
        "--save",
        metavar="FILE",
        help="keep the fitted Pipeline in this file (default: a temporary one)",
    )
    parser.set_defaults(run="_demo.run")


# ---------------------------------------------------------------------- options of several commands


def _add_data(parser: Any) -> None:
    group = parser.add_argument_group("the data")
    group.add_argument(
        "data",
        metavar="DATA",
        help="a CSV or Parquet file, a folder of Parquet files, or - (stdin)",
    )
    group.add_argument("--target", required=True, metavar="COLUMN", help="what to predict")
    group.add_argument(
        "--pos-label",
        metavar="VALUE",
        help="the positive class; by default 1, true, or the rarer of two",
    )
    _add_columns(group, "--drop", "columns not to predict from")
    _add_columns(group, "--category", "columns of numbers that are names, such as zip codes")
    group.add_argument(
        "--weights", metavar="COLUMN", help="how many rows of the population each row stands for"
    )
    group.add_argument(
        "--groups",
        metavar="COLUMN",
        help="rows of one group (a customer) are not divided between training and judging",
    )
    group.add_argument(
        "--time-column",
        metavar="COLUMN",
        help="orders the rows; the last ones judge",
    )
    _add_format(group, decimal=".")


def _add_training(parser: Any) -> None:
    group = parser.add_argument_group("the model")
    group.add_argument(
        "--out", required=True, metavar="MODEL", help="model.wbce (runs no code), or model.joblib"
    )
    _add_force(group)
    group.add_argument("--model", choices=MODELS, help="the network; default: ensemble")
    group.add_argument(
        "--vectorizer",
        choices=("auto", "native", "skrub"),
        default="auto",
        help="auto: skrub's, where columns are free text; native: never; skrub: for all columns; "
        "it needs a .joblib file",
    )
    group.add_argument(
        "--prior",
        type=_number("above 0 and below 1", lambda x: 0 < x < 1),
        metavar="SHARE",
        help="the positives' share where the model will be used, if it is another than in DATA",
    )
    group.add_argument("--epochs", type=_whole(1), help="at most; default: 100")
    group.add_argument("--seed", type=_whole(0), default=0, help="default: %(default)s")
    group.add_argument("--verbose", action="store_true", help="say how the training goes")


def _add_threshold(parser: Any) -> None:
    group = parser.add_argument_group("the decision")
    group.add_argument(
        "--threshold",
        type=_number_or(("auto", "exact", "none"), "a number from 0 to 1", lambda x: 0 <= x <= 1),
        default="auto",
        metavar="NUMBER",
        help="the probability above which a row is called positive; auto chooses it on rows the "
        "network has not seen, exact the one best on those very rows, none leaves it to the "
        "weights; default: auto",
    )
    group.add_argument(
        "--threshold-objective",
        "--objective",
        dest="objective",
        type=_objective,
        metavar="WHAT",
        help="f1, f2, mcc, balanced_accuracy, cost; or bounds: min_precision=0.9, "
        "max_alarms=200 (of the rows), max_alarms=20,per=1000; default: f1",
    )
    _add_costs(group)
    group.add_argument(
        "--validation-split",
        type=_number_or(("last",), "a share above 0 and below 1", lambda x: 0 < x < 1),
        metavar="SHARE",
        help="rows that stop training and choose the threshold, or last: the last tenth; "
        "default: 0.1",
    )


def _add_model(parser: Any) -> None:
    parser.add_argument("model_file", metavar="MODEL", help="a file that wbce fit wrote")
    parser.add_argument(
        "data",
        metavar="DATA",
        help="a CSV or Parquet file, a folder of Parquet files, or - (stdin)",
    )
    parser.add_argument(
        "--trust", action="store_true", help="load a .joblib file, which may run any code"
    )
    _add_format(parser, decimal=None)


def _add_scoring(parser: Any) -> None:
    _add_model(parser)
    parser.add_argument("--target", metavar="COLUMN", help="the labels; by default as at the fit")
    parser.add_argument(
        "--weights", metavar="COLUMN", help="how many rows of the population each row stands for"
    )
    parser.add_argument(
        "--label", metavar="VALUE", help="of more than two classes, the one compared with the rest"
    )
    parser.add_argument(
        "--per-day",
        type=_number("above 0", lambda x: x > 0),
        metavar="ROWS",
        help="rows a day, to speak of alarms a day",
    )
    _add_costs(parser)


def _add_format(parser: Any, decimal: str | None) -> None:
    parser.add_argument(
        "--sep", type=_separator, help="between the columns of a CSV file; by default found out"
    )
    parser.add_argument("--encoding", default="utf-8", help="of a CSV file; default: utf-8")
    parser.add_argument(
        "--decimal",
        choices=(".", ","),
        default=decimal,
        help="before the decimals of numbers; by default " + ("." if decimal else "as at the fit"),
    )


def _add_costs(parser: Any) -> None:
    kind = _number("0 or more", lambda x: x >= 0)
    parser.add_argument("--cost-fp", type=kind, metavar="COST", help="of a false alarm")
    parser.add_argument("--cost-fn", type=kind, metavar="COST", help="of a positive that is missed")


def _add_columns(parser: Any, name: str, what: str) -> None:
    parser.add_argument(name, nargs="+", action="extend", default=[], metavar="COLUMN", help=what)


def _add_force(parser: Any) -> None:
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


# ---------------------------------------------------------------------- values of options


def _number(what: str, allowed: Callable[[float], bool]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and allowed(number)):
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed: pass a number, {what}")
        return number

    return read


def _numbers(what: str, allowed: Callable[[float], bool]) -> Callable[[str], list[float]]:
    one = _number(what, allowed)
    return lambda text: list(dict.fromkeys(one(part) for part in text.split(",")))


def _number_or(
    names: tuple[str, ...], what: str, allowed: Callable[[float], bool]
) -> Callable[[str], float | str]:
    def read(text: str) -> float | str:
        if text in names:
            return text
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and allowed(number)):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not allowed: pass {what}, or {' or '.join(names)}"
            )
        return number

    return read


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) < 2**32:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not allowed: pass a whole number, at least {least}"
            )
        return int(text)

    return read


def _separator(text: str) -> str:
    character = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(character) != 1 or character in '\n\r"':
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: pass one character, or tab")
    return character


def _objective(text: str) -> str | dict[str, float]:
    from wbce.cli._objective import read_objective  # which imports scikit-learn

    try:
        return read_objective(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
