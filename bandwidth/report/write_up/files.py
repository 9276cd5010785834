"""A write-up in files: the document, and its figures beside it; all of them are written, or none."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bandwidth.errors import UsageError
from bandwidth.report.figures import drawing as figures_drawing
from bandwidth.report.figures.data import Figure
from bandwidth.report.write_up import html, latex, markdown
from bandwidth.report.write_up.content import Form, WriteUp, without_figures
from bandwidth.report.write_up.html import inline_svg
from bandwidth.text_files import check_writable, write_together

# Each form by the name of its format. A new one is a module with a FORM, and its line here.
FORMS = {"html": html.FORM, "markdown": markdown.FORM, "latex": latex.FORM}
FIGURE_FORMATS: tuple[str, ...] = ("svg", "png", "pdf")


def text_alone(write_up: WriteUp, form: Form) -> str:
    """Return the document for a stream: a page with its figures inside, all else without any."""
    return form.text(without_figures(write_up), {}) if form.beside else form.text(write_up, _inline(write_up.figures))


def write_files(write_up: WriteUp, form: Form, path: Path, folder: Path | None) -> None:
    """Write the document to `path`, and its figures as SVG, PNG and PDF to `folder` where one is given.

    Without one, figures that the document needs beside it go to `NAME-figures`. Raises UsageError where something
    cannot be written; nothing half-written stays then.
    """
    check_writable(path)
    kinds = FIGURE_FORMATS
    if folder is None:
        kinds = (form.beside,) if form.beside else ()
        folder = path.with_name(f"{path.stem}-figures")
    _check_folder(folder)  # before anything is drawn, which takes seconds
    files = {
        folder / f"{figure.name}.{kind}": figures_drawing.draw(figure, kind)
        for figure in write_up.figures
        for kind in kinds
    }
    links = _links(write_up.figures, path, folder, form.beside) if form.beside else _inline(write_up.figures)
    text = form.text(write_up, links)
    write_whole({**files, path: text.encode("utf-8")})


def write_figures(figures: Sequence[Figure], folder: Path) -> None:
    """Write figures as SVG, PNG and PDF into a folder. Raises UsageError as `write_files` does."""
    _check_folder(folder)
    write_whole(
        {
            folder / f"{figure.name}.{kind}": figures_drawing.draw(figure, kind)
            for figure in figures
            for kind in FIGURE_FORMATS
        }
    )


def _check_folder(folder: Path) -> None:
    """Raise UsageError where a folder is none, or could not be made."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "name another folder")
    if not folder.exists() and not folder.parent.is_dir():
        raise UsageError(f"{folder.parent} is not a folder", "create it, or name another folder")


def write_whole(files: Mapping[Path, bytes]) -> None:
    """Write all files, or none where one cannot be; a folder that lacks is made, its parents are not.

    Raises UsageError; new files and folders are gone then.
    """
    made: list[Path] = []
    done = False
    try:
        for folder in dict.fromkeys(path.parent for path in files):
            if not folder.exists():
                _make(folder)
                made.append(folder)
        write_together(files)
        done = True
    finally:  # Ctrl-C too leaves nothing behind
        for folder in [] if done else made:
            with suppress(OSError):
                folder.rmdir()


def _make(folder: Path) -> None:
    try:
        folder.mkdir()
    except OSError as error:
        raise UsageError(f"{folder} cannot be created: {error.strerror}", "name a writable folder") from error


def _inline(figures: Sequence[Figure]) -> dict[str, str]:
    return {
        figure.name: inline_svg(figures_drawing.draw(figure, "svg", transparent=True).decode("utf-8"), figure)
        for figure in figures
    }


def _links(figures: Sequence[Figure], path: Path, folder: Path, kind: str) -> dict[str, str]:
    """Return the figures' paths as the document names them: from its own folder, with slashes."""
    start = Path(os.path.relpath(folder.resolve(), path.resolve().parent)).as_posix()
    return {figure.name: f"{start}/{figure.name}.{kind}" for figure in figures}
