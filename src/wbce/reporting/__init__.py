"""A report on a fitted classifier: what it does on some rows, what is risky, and what to do.

Figures are found first (`_findings.py`), by rooms that know arrays only; then the text
(`_text.py`) and the page (`_page.py`) put the same figures into words.
"""

from wbce.reporting._report import Report, report
from wbce.reporting._risks import Risk

__all__ = ["Report", "Risk", "report"]
