"""What a built site must hold: every public name, links that lead somewhere, no other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

# What a browser fetches by itself; links that a person follows may go anywhere.
_FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
_LINKS_THAT_FETCH = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "manifest"}


class Page(HTMLParser):
    """What a page has: its anchors, its links, and what it fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag brings."""
        said = {name: value or "" for name, value in attrs}
        self.anchors.update(said[name] for name in ("id", "name") if said.get(name))
        address = said.get(_FETCHED.get(tag, ""), "")
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        elif tag != "link" or _LINKS_THAT_FETCH & set(said.get("rel", "").split()):
            self.fetched += [address] if address else []
        for candidate in said.get("srcset", "").split(","):
            self.fetched += candidate.split()[:1]


def problems_of(folder: Path, public: list[str]) -> Iterator[str]:
    """Find what is wrong with a built site.

    Parameters
    ----------
    folder : Path
        With the pages.
    public : list of str
        Full names, each of which must have a place in the reference.

    Yields
    ------
    str
        A sentence for each problem.
    """
    pages = {
        path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.relative_to(folder).parts
    }
    described = set().union(*(page.anchors for page in pages.values()))
    for name in public:
        if name not in described:
            yield f"{name} is public and has no place in the reference."
    for where, page in pages.items():
        for address in page.fetched:
            if urlsplit(address).netloc:
                yield f"{where} loads {address}: a page must not load from another host."
            elif not urlsplit(address).scheme and not _target(folder, where, address).exists():
                yield f"{where} loads {address}, which does not exist."
        for link in page.links:
            yield from _problems_of_link(folder, pages, where, link)
    for sheet in sorted(folder.rglob("*.css")):
        text = sheet.read_text(encoding="utf-8").replace('"', "").replace("'", "")
        for start in ("url(http:", "url(https:", "url(//", "@import http"):
            if start in text:
                yield f"{sheet.relative_to(folder)} loads from another host."


def _target(folder: Path, where: str, address: str) -> Path:
    path = unquote(urlsplit(address).path)
    return (folder / where).parent / path if path else folder / where


def _problems_of_link(folder: Path, pages: dict[str, Page], where: str, link: str) -> Iterator[str]:
    address, anchor = urldefrag(link)
    if urlsplit(link).scheme or urlsplit(link).netloc:
        return
    target = _target(folder, where, address)
    if target.is_dir():
        target = target / "index.html"
    if not target.exists():
        yield f"{where} links to {link}, which does not exist."
        return
    place = target.resolve().relative_to(folder.resolve()).as_posix()
    if anchor and place in pages and unquote(anchor) not in pages[place].anchors:
        yield f"{where} links to {link}: {place} has no such place."
