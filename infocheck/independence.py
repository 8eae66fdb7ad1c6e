"""How many independent observations do the rows amount to?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infocheck.dataset import Dataset


def effective_size(data: Dataset) -> float:
    """Effective observations for the correlation of the median regulator-target pair."""
    return float(data.n)
