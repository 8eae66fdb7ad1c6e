"""Everything that is written: the page, the JSON, the notebook card, the last lines."""

from infocheck.report.model import Report

__all__ = ["Report"]
