"""The report of an experiment as one file, and the index page of a batch."""

from aistrale_lab.report.index import PointRow, Target, index_page
from aistrale_lab.report.write import SUFFIXES, check_suffix, write_report

__all__ = [
    "SUFFIXES",
    "PointRow",
    "Target",
    "check_suffix",
    "index_page",
    "write_report",
]
