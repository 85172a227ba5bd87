"""Markup whose contents cannot be taken for markup."""

from __future__ import annotations

import html
import json
from typing import Any


class Markup(str):
    """Text that is markup already; all other text is escaped where it enters an element."""

    __slots__ = ()


def element(tag: str, *content: Any, **attributes: Any) -> Markup:
    """Write an element.

    Parameters
    ----------
    tag : str
    *content : str, Markup or None
        Escaped, but for markup; None is left out.
    **attributes
        ``class_`` is ``class``, and ``data_x`` ``data-x``; False and None are left out, True is
        the name alone. Values are escaped.

    Returns
    -------
    Markup

    Examples
    --------
    >>> element("td", "a < b", element("br"), class_="cell", hidden=True)
    '<td class="cell" hidden>a &lt; b<br></td>'
    """
    said = []
    for name, value in attributes.items():
        attribute = name.rstrip("_").replace("_", "-")
        if value is True:
            said.append(f" {attribute}")
        elif value is not None and value is not False:
            said.append(f' {attribute}="{html.escape(str(value))}"')
    start = f"<{tag}{''.join(said)}>"
    if tag in ("br", "input", "meta"):
        return Markup(start)
    return Markup(f"{start}{together(*content)}</{tag}>")


def together(*content: Any) -> Markup:
    """Put pieces one after the other."""
    return Markup(
        "".join(
            piece if isinstance(piece, Markup) else html.escape(str(piece))
            for piece in content
            if piece is not None
        )
    )


def script_data(value: Any) -> Markup:
    r"""Write data as JSON that cannot end the script element it stands in.

    Examples
    --------
    >>> script_data("</script>")
    '"\\u003c/script\\u003e"'
    """
    said = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        said = said.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(said)
