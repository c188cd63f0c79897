"""One page, one file: a template and what it shows become HTML that loads nothing from elsewhere.

    write_page("out/report.html", Path(__file__).with_name("report.html"), {"title": ..., ...})

A template extends `page.html` and fills its blocks: `verb`, `nav`, `main`, and where needed `style`
and `promise` (a sentence at the foot). From `blocks.html` it takes `grid` (a `Table`), `show` (a
`Figure`) and `remarks`. A style sheet of the same name beside the template comes after `page.css`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paceline import __version__
from paceline.files.writing import write_file

_HERE = Path(__file__).parent


def write_page(path: str | Path, template: Path, contents: Mapping[str, Any]) -> Path:
    """Write `contents` as `template` shows them to `path`; returns it.

    `contents` has `title`, `lead` (one sentence below it) and whatever the template asks for. Its
    `hues` say which names (cells of kind `named`) have a colour, and which: name -> 0 to 7. Text is
    escaped; only a figure's SVG is taken as it is. Folders are made, and a page that is there
    already is replaced.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup
    styles = [_HERE / "page.css", template.with_suffix(".css")]
    style = "\n".join(sheet.read_text(encoding="utf-8") for sheet in styles if sheet.exists())
    page = environment.get_template(template.name).render(
        {
            "style": Markup(style),
            "version": __version__,
            "hues": {},
            **contents,
        }
    )
    return write_file(path, page)
