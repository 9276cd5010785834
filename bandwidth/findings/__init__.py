"""Pure rules over records: what looks wrong and what to try, and the long texts of `bandwidth explain`."""

from bandwidth.findings.entry import Explanation
from bandwidth.findings.explanations import EXPLANATIONS, explanation
from bandwidth.findings.rules import examine

__all__ = ["EXPLANATIONS", "Explanation", "examine", "explanation"]
