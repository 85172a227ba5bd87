"""The reference has every public name with an example, and a built site is checked."""

import importlib
import inspect
import sys
from pathlib import Path

import pytest

import wbce

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module", autouse=True)
def machinery():
    """The site's own modules, as docs/conf.py imports them."""
    sys.path.insert(0, str(DOCS / "_ext"))
    yield
    sys.path.remove(str(DOCS / "_ext"))


@pytest.fixture(scope="module")
def public():
    return importlib.import_module("public_names")


def every_name():
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        public = importlib.import_module("public_names")
    finally:
        sys.path.pop(0)
    names = public.everything_public()
    return [*names, *(f"{name}.{m}" for name in names for m in public.own_methods(name))]


# ---------------------------------------------------------------------- the reference


def test_the_pages_list_every_name_of_every_public_module(public, tmp_path):
    public.write_pages(tmp_path)
    listed = {line.strip() for line in (tmp_path / "index.rst").read_text().splitlines()}
    for module in [wbce, *(getattr(wbce, name) for name in wbce.__all__)]:
        for name in getattr(module, "__all__", []) if inspect.ismodule(module) else []:
            if not inspect.ismodule(getattr(module, name)):
                assert f"{module.__name__}.{name}" in listed


def test_a_public_module_states_what_is_public(public):
    for name in public.public_modules():
        room = importlib.import_module(name)
        for thing in public.public_names(name):
            value = public.named(thing)
            assert inspect.isclass(value) or inspect.isfunction(value), thing
        assert room.__doc__


def test_methods_of_the_estimator_and_of_displays_are_in_the_reference(public):
    methods = public.own_methods("wbce.WeightedKerasClassifier")
    assert {"fit", "predict", "predict_proba", "tune_threshold", "save", "set_params"} <= {*methods}
    assert "class_losses" in public.own_methods("wbce.losses.PointwiseLoss")
    assert public.own_methods("wbce.losses.Focal") == []  # they are its base's


@pytest.mark.parametrize("name", every_name())
def test_every_public_name_has_a_docstring_with_an_example(public, name):
    owner, _, method = name.rpartition(".")
    is_method = inspect.isclass(public.named(owner)) if owner.count(".") else False
    thing = getattr(public.named(owner), method) if is_method else public.named(name)
    own = _examples(thing)
    of_its_class = is_method and f"{method}(" in _examples(public.named(owner))
    assert ">>> " in own or of_its_class, f"{name} has no example, in its docstring or its class's."


def _examples(thing):
    return (inspect.getdoc(thing) or "").partition("Examples\n--------\n")[2]


# Of numpydoc's checks those without taste: sections that are known and in order, parameters that
# are those of the signature and have a type, a summary of one sentence. Left out are those that
# want a "See Also" or a second paragraph everywhere, words for `X` and `self`, and a verb form.
CHECKS = [
    *("GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR10"),
    *("RT01", "RT04", "RT05", "SS01", "SS02", "SS03", "SS04", "SS06", "YD01"),
]
SAID_OTHERWISE = {
    # "**routed" is in the docstring; scikit-learn wants the signature without it.
    ("wbce.WeightedKerasClassifier", "PR02"),
    # "**shared" stands for those of PointwiseLoss.
    ("wbce.losses.WeightedCrossentropy", "PR01"),
    ("wbce.losses.WeightedCrossentropy", "PR02"),
    # Nobody makes one: what it is made of is no concern of the reader's.
    ("wbce.decisions.ThresholdInterval", "PR01"),
    ("wbce.reporting.Report", "PR01"),
    ("wbce.reporting.Risk", "PR01"),
    # "x, y, metric, ax, **image : As in from_estimator".
    ("wbce.plotting.SearchGridDisplay.from_results", "PR04"),
}


@pytest.mark.parametrize("name", every_name())
def test_docstrings_are_numpydoc(name):
    validate = pytest.importorskip("numpydoc.validate").validate
    wrong = [
        f"{code} {message}"
        for code, message in validate(name)["errors"]
        if code in CHECKS and (name, code) not in SAID_OTHERWISE
    ]
    assert wrong == []


# ---------------------------------------------------------------------- formulas


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"\frac{a}{b}", "<mfrac>"),
        (r"a \iff b", "⟺"),
        (r"\tfrac12", "<mfrac>"),
        (r"\bigl( x \bigr)", "<mi>x</mi>"),
        (r"\bar p", "‾"),
        (r"\log q", '</mi>\n  <mspace width="0.1667em"></mspace>\n  <mi>q'),
        (r"p \log q", '<mi>p</mi>\n  <mspace width="0.1667em"></mspace><mi>log</mi>'),
        (r"\max(x, 0)", "<mi>max</mi>"),
    ],
)
def test_formulas_become_mathml(formula, expected):
    pytest.importorskip("sphinx")
    mathml = importlib.import_module("mathml").mathml_of(formula, displayed=False)
    assert mathml.startswith("<math")
    assert expected in mathml


def test_lines_of_a_displayed_formula_are_aligned():
    pytest.importorskip("sphinx")
    mathml = importlib.import_module("mathml").mathml_of(r"a &= b \\ &= c", displayed=True)
    assert 'display="block"' in mathml
    assert mathml.count("<mtr>") == 2


# ---------------------------------------------------------------------- what a build must hold


def site(folder, **pages):
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(f"<html><body>{text}</body></html>")
    return folder


def problems(folder, names=()):
    return list(importlib.import_module("site_checks").problems_of(folder, list(names)))


def test_a_site_that_is_right_has_no_problems(tmp_path):
    site(
        tmp_path,
        index='<a href="api.html#wbce.load">x</a> <a href="https://example.org">y</a>',
        api='<dt id="wbce.load">load</dt> <img src="picture.png">',
    )
    (tmp_path / "picture.png").write_bytes(b"")
    assert problems(tmp_path, ["wbce.load"]) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<script src="https://example.org/x.js"></script>', "another host"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "another host"),
        ('<img srcset="https://example.org/x.png 2x" src="">', "another host"),
        ('<img src="missing.png">', "does not exist"),
        ('<a href="missing.html">x</a>', "does not exist"),
        ('<a href="#nowhere">x</a>', "no such place"),
        ('<a href="index.html#nowhere">x</a>', "no such place"),
    ],
)
def test_what_is_wrong_with_a_site_is_said(tmp_path, text, said):
    (problem,) = problems(site(tmp_path, index=text))
    assert said in problem


def test_a_style_sheet_that_loads_from_another_host_is_found(tmp_path):
    (tmp_path / "x.css").write_text('@font-face { src: url("https://example.org/x.woff2") }')
    (problem,) = problems(tmp_path)
    assert "x.css" in problem


def test_a_public_name_without_a_place_is_found(tmp_path):
    assert "wbce.load" in problems(site(tmp_path, index=""), ["wbce.load"])[0]
