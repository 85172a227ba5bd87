"""Formulas as MathML, which browsers set by themselves: no script, no fonts, no LaTeX."""

from __future__ import annotations

import re

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

# Of what LaTeX knows and docutils does not: a synonym, or nothing where only a size is meant.
_SYNONYMS = [
    (re.compile(r"\\iff(?![a-zA-Z])"), r"\\Longleftrightarrow "),
    (re.compile(r"\\implies(?![a-zA-Z])"), r"\\Longrightarrow "),
    (re.compile(r"\\[dt]frac(?=\s*\d\s*\d)"), r"\\frac"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\[bB]igg?[lrm]?(?![a-zA-Z])\s*"), ""),
]

# Of MathML that browsers without a mathematical font set badly: a bar that sinks into its letter,
# functions that touch their argument, or stand far from their bracket.
_SPACE = r'<mspace width="0.1667em"></mspace>'
_MENDED = [
    (
        re.compile(r'<mover accent="true">(\s*<m[in]>[^<]*</m[in]>\s*)<mo stretchy="false">ˉ</mo>'),
        r'<mover>\1<mo stretchy="false">‾</mo>',
    ),
    (
        re.compile(
            r"(</m(?:i|n|over|sub|sup)>\s*)(?=<mi[^>]*>[a-z]{2,}</mi>\s*<mo>&ApplyFunction;)"
        ),
        r"\1" + _SPACE,
    ),
    (re.compile(r'<mo>&ApplyFunction;</mo>(?!\s*<mo stretchy="false">\()'), _SPACE),
    (re.compile(r'<mo>(max|min)</mo>(?=\s*<mo stretchy="false">\()'), r"<mi>\1</mi>"),
    (re.compile(r"<mo>'</mo>"), '<mo lspace="0em" rspace="0em">\u2032</mo>'),
]


def mathml_of(formula: str, displayed: bool) -> str:
    """Turn a formula of LaTeX into MathML.

    Parameters
    ----------
    formula : str
        As between dollar signs. Several lines of a displayed one are aligned at ``&``.
    displayed : bool
        Whether it stands by itself.

    Returns
    -------
    str

    Raises
    ------
    docutils.utils.math.MathError
        If docutils does not know a command in it.
    """
    formula = formula.strip()
    for pattern, synonym in _SYNONYMS:
        formula = pattern.sub(synonym, formula)
    if displayed and r"\\" in formula and r"\begin" not in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    formula = re.sub(r"\\(begin|end)\{(align|gather)\*?\}", r"\\\1{aligned}", formula)
    mathml = str(latex2mathml.tex2mathml(formula, as_block=displayed))
    for pattern, better in _MENDED:
        mathml = pattern.sub(better, mathml)
    return mathml


def _write(self: HTML5Translator, node: nodes.Element, displayed: bool) -> None:
    try:
        self.body.append(mathml_of(node.astext(), displayed))
    except MathError as error:
        logger.warning("%s, in the formula %r", error, node.astext(), location=node)
        self.body.append(self.encode(node.astext()))


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line."""
    _write(self, node, displayed=False)
    raise nodes.SkipNode


def visit_displayed(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on lines of its own."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    _write(self, node, displayed=True)
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx, under the name ``mathml``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
