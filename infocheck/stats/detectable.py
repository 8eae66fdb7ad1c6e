"""The smallest effect that so many independent units show, for questions other than networks."""

from __future__ import annotations

import math

from scipy import optimize, special, stats

POWER = 0.8


def smallest_difference(
    a: int, b: int, *, paired: bool, level: float, power: float = POWER
) -> float:
    """Smallest difference of two means that a t-test finds, in standard deviations.

    Parameters
    ----------
    a, b
        Independent units of each kind; of pairs the smaller number counts.
    paired
        Is each unit measured in both? Then the deviation is that of differences.
    level
        Two-sided level of the test.

    Returns
    -------
    float
        Infinite without a degree of freedom.
    """
    freedom = min(a, b) - 1 if paired else a + b - 2
    if freedom < 1 or min(a, b) < 1:
        return math.inf
    scale = math.sqrt(min(a, b)) if paired else math.sqrt(a * b / (a + b))
    critical = stats.t.isf(level / 2, freedom)

    def missed(shift: float) -> float:
        # The other tail adds less than half the level.
        return 1 - special.nctdtr(freedom, shift, critical) - power

    high = critical + 5.0
    while missed(high) < 0:
        high *= 2
        if high > 1e6:
            return math.inf
    return optimize.brentq(missed, 0.0, high) / scale


def smallest_share(n: int, *, level: float, power: float = POWER) -> float:
    """Smallest share of variance that a measured variable must explain to be found.

    By Fisher's z of the correlation over n independent units (Fisher 1921), at a two-sided
    level; 1 where no share is enough.
    """
    if n <= 3:
        return 1.0
    z = (stats.norm.isf(level / 2) + stats.norm.ppf(power)) / math.sqrt(n - 3)
    return math.tanh(z) ** 2
