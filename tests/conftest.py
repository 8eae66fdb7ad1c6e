"""What several test files share."""

from __future__ import annotations

import os
from pathlib import Path

# Test files that run side by side have one thread each; said before numpy is loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the shared real data sets and tables; the test is skipped without it.

    ``INFOCHECK_SHARED`` names it; a relative path counts from the project root.
    """
    root = Path(__file__).resolve().parents[1]
    folder = (root / os.environ.get("INFOCHECK_SHARED", "../shared")).resolve()
    if not folder.is_dir():
        pytest.skip(f"shared data not found at {folder}")
    return folder
