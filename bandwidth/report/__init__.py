"""Rows to text: terminal, Markdown, CSV, JSON, LaTeX, HTML. It computes no statistic."""

from bandwidth.report.document import Column, Document, Table
from bandwidth.report.formats import FORMATS, render

__all__ = ["FORMATS", "Column", "Document", "Table", "render"]
