"""LaTeX on request: numbers in columns of siunitx, tables across two columns of text; and that LaTeX takes it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bandwidth.report.document import Column, Table
from bandwidth.report.markup import latex_numbers
from bandwidth.report.write_up.content import make_write_up
from bandwidth.report.write_up.files import write_files
from bandwidth.report.write_up.latex import MOST_ROWS, Look, form_of, latex_text
from bandwidth.results.files import load

RECORD = Path(__file__).parents[2] / "data" / "report" / "record.json"


def has_latex():
    """Return whether pdfLaTeX is there with siunitx."""
    finder = shutil.which("kpsewhich")
    asked = [finder or "", "siunitx.sty", "booktabs.sty", "lmodern.sty"]
    return bool(shutil.which("pdflatex") and finder and subprocess.run(asked, capture_output=True).returncode == 0)


def column(*cells, align="right"):
    table = Table((Column("x_1", align),), tuple((cell,) for cell in cells))
    (letter,), header, rows = latex_numbers(table)
    return letter, header.removesuffix(r" \\"), [row.removesuffix(r" \\") for row in rows]


@pytest.mark.parametrize(
    ("cells", "letter", "shown"),
    [
        (("4,496.00", "55.3"), "S[table-format=4.2]", ["4496.00", "55.3"]),
        (("7", "-", "12"), "S[table-format=2.0]", ["7", "{-}", "12"]),
        (("70.00", "95.00!", "INVALID", "0.5*"), "S[table-format=2.2]", ["70.00", "{95.00!}", "{INVALID}", "{0.5*}"]),
        (("1.2-3.4", "-"), "r", ["1.2-3.4", "-"]),
        (("79.0 %", "7.0"), "r", [r"79.0 \%", "7.0"]),
        (("%_&{}", "1"), "S[table-format=1.0]", [r"{\%\_\&\{\}}", "1"]),
    ],
)
def test_numbers_stand_bare_and_all_else_in_braces(cells, letter, shown):
    head = r"{x\_1}" if letter.startswith("S") else r"x\_1"
    assert column(*cells) == (letter, head, shown)


def test_the_sign_of_percentages_stands_in_the_header():
    assert column("79.0 %", "-", "INVALID") == ("S[table-format=2.1]", r"{x\_1 (\%)}", ["79.0", "{-}", "{INVALID}"])


def test_a_column_of_texts_stays_one():
    assert column("12", "13", align="left")[0] == "l"


def test_tables_span_two_columns_of_text_and_long_ones_are_several():
    write_up = make_write_up([load(RECORD)], figures=False)
    plain, wide = latex_text(write_up, {}), latex_text(write_up, {}, Look(two_columns=True))
    assert "{longtable}" in plain
    assert r"\usepackage{siunitx}" not in plain
    assert "{longtable}" not in wide.split(r"\begin{document}")[1]
    assert "twocolumn" in wide
    bodies = re.findall(r"\\midrule\n(.*?)\\bottomrule", wide, re.DOTALL)
    assert len(bodies) == wide.count(r"\begin{table*}")
    assert max(body.count("\n") for body in bodies) <= MOST_ROWS
    assert r"\caption{Summary}" in wide  # a float without a title of its own has that of its section


@pytest.mark.skipif(not has_latex(), reason="no pdfLaTeX with siunitx: apt-get install texlive-science lmodern")
@pytest.mark.parametrize("look", [Look(siunitx=True), Look(siunitx=True, two_columns=True)], ids=["one", "two"])
def test_latex_takes_it_without_a_complaint(look, tmp_path):
    write_files(make_write_up([load(RECORD)], figures=False), form_of(look), tmp_path / "out.tex", None)
    call = [shutil.which("pdflatex") or "", "-interaction=nonstopmode", "out.tex"]
    ran = subprocess.run(call, cwd=tmp_path, capture_output=True, timeout=60)
    said = ran.stdout.decode("latin-1")
    assert ran.returncode == 0, said[-2000:]
    assert "Overfull" not in said
    assert (tmp_path / "out.pdf").stat().st_size > 10_000
