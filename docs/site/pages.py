"""The pages of the documents' site, a hook of MkDocs.

Documents are taken from where they lie, under their paths in the project, so that the links between
them work in both places. The list of documents, docs/README.md, is the site's menu. Beside
them the site has what is written by the code: the API, the decisions' list, notebooks, the sample's
report and model card.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from api_page import api_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter
from nbconvert.filters import strip_ansi

from reelflow.serving.app import openapi
from reelflow.serving.limits import Limits

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / ".site"
"""What `make site` has made by running the code: `notebooks/` and `sample/`, an output folder."""
INDEX = "docs/README.md"
DOCUMENTS = ["*.md", "docs/*.md", "docs/how-to/*.md", "docs/adr/*.md", "kubeflow/*.md"]
PICTURES = ["docs/images/*"]
FOLDERS = {
    "docs/adr": "docs/adr/README.md",
    "docs/notebooks": "docs/notebooks/README.md",
    "reelflow/config/presets": "docs/presets.md",
    "reelflow/config/bundled": "docs/configurations.md",
}
"""Folders that the documents name, with the pages that list what is in them."""
SAMPLE, CARD, REPORT = (
    "docs/sample/README.md",
    "docs/sample/model_card.md",
    "docs/sample/report.html",
)
SAMPLE_PAGE = """# A run on the sample

`reelflow run` without `--data` takes a synthetic sample: {data[rows]:,} invented ratings
of {data[users]:,} users and {data[movies]:,} movies. This run was made together with these pages.

- [The report](report.html), as `reelflow report --open` shows it
- [The model card](model_card.md)

The sample shows that everything works, and nothing of how good a model is on real movies.
"""
PYTHON = """# Python

## In a notebook

`from reelflow import Recommender`; [the notebooks](notebooks/) show it at work.

::: reelflow.notebook.recommender.Recommender

## A client of the server

::: reelflow.client.Client

::: reelflow.client.ApiError
"""


def on_config(config: MkDocsConfig) -> None:
    """Set the menu."""
    text = (ROOT / INDEX).read_text(encoding="utf-8")
    menu: dict[str, Any] = {"Home": "README.md", "All documents": INDEX}
    for heading, body in re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL):
        links = re.findall(r"^- \[([^]]+)\]\(([^)]+)\)", body, re.MULTILINE)
        menu[heading] = [_entry(title, _page(INDEX, target)) for title, target in links]
    menu["Look up"] += [
        "docs/presets.md",
        "docs/configurations.md",
        "docs/api.md",
        "docs/python.md",
    ]
    if _sample():
        menu["Learn"] += [{"A run on the sample": SAMPLE}, {"The sample's model card": CARD}]
    config.nav = [{title: entries} for title, entries in menu.items()]


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the documents and the generated pages."""
    taken = [path for one in [*DOCUMENTS, *PICTURES] for path in sorted(ROOT.glob(one))]
    for path in taken:
        files.append(_copied(config, path.relative_to(ROOT).as_posix(), path))
    files.append(_copied(config, "favicon.svg", ROOT / "reelflow/serving/page/favicon.svg"))
    for name, text in _generated():
        files.append(File.generated(config, name, content=text))
    if run := _sample():
        files.append(_copied(config, CARD, run / "model_card.md"))
        files.append(_copied(config, REPORT, run / "report.html"))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links lead to the site's pages: a folder's to its list; others become plain text."""

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        found = _page(page.file.src_uri, target)
        if found in files.src_uris:
            here = posixpath.dirname(page.file.src_uri)
            return f"[{text}]({posixpath.relpath(found, here or '.')}{anchor})"
        return text if (ROOT / found).exists() else match[0]

    if page.file.src_uri in ("README.md", INDEX):
        page.meta["hide"] = ["navigation"]  # a menu with the page itself alone
    markdown = re.sub(r"\[([^]\n]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)", link, markdown)
    return _lists(markdown.replace("<details>", '<details markdown="1">'))


def _lists(markdown: str) -> str:
    """Write lists as Python-Markdown reads them: after an empty line, four spaces for each level.

    GitHub and CommonMark ask for neither: what is in an item begins where its text does.
    """
    lines: list[str] = []
    levels: list[int] = []  # the columns where the open items' texts begin
    fenced = parted = False
    for line in markdown.split("\n"):
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        listed = bool(levels)
        while text and not fenced and levels and indent < levels[-1]:
            levels.pop()
        within = levels[-1] if levels else 0
        code = fenced or indent - within >= 4
        item = None if code else re.match(r"(?:[-*]|\d+\.) +", text)
        if item and (parted or not listed) and lines and lines[-1]:
            lines.append("")
        parted = bool(levels) and not item and (parted or not text)
        lines.append(" " * (4 * len(levels) + max(0, indent - within)) + text if text else "")
        if text.startswith("```"):
            fenced = not fenced
        elif item:
            levels.append(indent + len(item[0]))
    return "\n".join(lines)


def _page(source: str, target: str) -> str:
    """Return the site's file for a link of a document, by its path in the project."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path in FOLDERS:
        return FOLDERS[path]
    if path.endswith(".ipynb") or path == "LICENSE":
        return f"{path.removesuffix('.ipynb')}.md"
    return path


def _entry(title: str, page: str) -> dict[str, Any]:
    """Return the menu's entry for a document; a list of a folder has the folder's pages below."""
    below = {FOLDERS["docs/adr"]: _decisions(), FOLDERS["docs/notebooks"]: _notebooks()}
    if page not in below:
        return {title: page}
    folder = posixpath.dirname(page)
    return {title: [{"All": page}, *(f"{folder}/{path.stem}.md" for path in below[page])]}


def _copied(config: MkDocsConfig, name: str, path: Path) -> File:
    return File.generated(config, name, abs_src_path=str(path))


def _decisions() -> list[Path]:
    return sorted((ROOT / "docs/adr").glob("*.md"))


def _notebooks() -> list[Path]:
    """The notebooks: as they were run, where they were."""
    names = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
    return [run if (run := MADE / "notebooks" / path.name).exists() else path for path in names]


def _sample() -> Path | None:
    """Return the folder of the run on the sample; None if there is none."""
    run = MADE / "sample" / "latest"
    return run.resolve() if (run / "report.html").exists() else None


def _generated() -> Iterator[tuple[str, str]]:
    """The pages that no file has, as Markdown, with their paths."""
    yield "docs/api.md", api_page(openapi(Limits()))
    yield "docs/python.md", PYTHON
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    yield "LICENSE.md", f"# Licence\n\n```\n{licence}```"
    decisions = {path.name: path.read_text(encoding="utf-8") for path in _decisions()}
    yield FOLDERS["docs/adr"], _listed("Decisions", decisions)
    for title, name in (("Presets", "presets"), ("Configurations", "bundled")):
        folder = f"reelflow/config/{name}"
        parts = [f"# {title}", f"The files of `{folder}/`."]
        for path in sorted((ROOT / folder).glob("*.toml")):
            parts += [f"## {path.stem}", f"```toml\n{path.read_text(encoding='utf-8')}```"]
        yield FOLDERS[folder], "\n\n".join(parts)
    notebooks = {f"{path.stem}.md": _notebook(path) for path in _notebooks()}
    yield from ((f"docs/notebooks/{name}", text) for name, text in notebooks.items())
    yield FOLDERS["docs/notebooks"], _listed("Notebooks", notebooks)
    if run := _sample():
        summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
        yield SAMPLE, SAMPLE_PAGE.format(**summary)


def _listed(title: str, pages: dict[str, str]) -> str:
    """Return a page of links to pages of its folder, by their headings."""
    heads = [(re.search(r"^# (.+)$", text, re.MULTILINE), name) for name, text in pages.items()]
    return "\n".join(
        [f"# {title}", "", *(f"- [{head[1]}]({name})" for head, name in heads if head)]
    )


def _notebook(path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.setdefault("language_info", {"name": "python"})
    text, _ = MarkdownExporter().from_notebook_node(notebook)
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", strip_ansi(text))
