"""A page as a browser would find it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "input", "br", "link", "img", "hr", "path", "use"}


class Page(HTMLParser):
    """What a browser would find: ids, links, text, tables. Fails where tags do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if known.get("id"):
            self.ids.append(str(known["id"]))
        self.links += [str(known[key]) for key in ("href", "src", "data") if known.get(key)]
        self.words += [str(known["title"])] if known.get("title") else []
        if tag == "table":
            self._rows = self.tables.setdefault(str(known.get("id")), [])
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)
        if self._open and "table" in self._open and self._rows and self._rows[-1]:
            self._rows[-1][-1] += data.strip()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def assert_stands_alone(page: str) -> None:
    """Whole, loads nothing from elsewhere, and every link in it leads somewhere in it."""
    parsed = Page(page)
    assert not re.search(r"https?:|//[a-z]|url\((?!#)|@import|<script src|<link", page)
    assert all(link.startswith("#") for link in parsed.links)
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids)), "ids are used twice"
