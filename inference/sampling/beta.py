"""The quantile function of the beta distribution, without a statistics library."""

from __future__ import annotations

import math
from functools import lru_cache

SERIES_TERMS = 48  # 2^-48 at the worst point, x = 1/2: below the rounding of a double
NEWTON_STEPS = 50  # an upper bound; four or five are usual
NEWTON_TOLERANCE = 1e-13  # relative
MIN_SERIES_X = 1e-16  # below this the series is its leading term


def beta_quantile(p: float, a: float, b: float) -> float:
    """Return x in [0, 1] with P(X ≤ x) = p for X ~ Beta(a, b), p in [0, 1]."""
    if p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    if p > _lower_tail(0.5, a, b):
        return 1.0 - _invert_lower_tail(1.0 - p, b, a)
    return _invert_lower_tail(p, a, b)


def _invert_lower_tail(p: float, a: float, b: float) -> float:
    """Solve for x in (0, 1/2] by Newton's method, starting from the leading term of the series."""
    x = min(math.pow(p * a * _beta_function(a, b), 1 / a), 0.5)
    if x < MIN_SERIES_X:
        return x
    for _ in range(NEWTON_STEPS):
        density = math.pow(x, a - 1) * math.pow(1 - x, b - 1) / _beta_function(a, b)
        step = (_lower_tail(x, a, b) - p) / density
        x = min(max(x - step, x / 4), 0.5)
        if abs(step) <= NEWTON_TOLERANCE * x:
            break
    return x


def _lower_tail(x: float, a: float, b: float) -> float:
    """Return P(X ≤ x) for x in [0, 1/2] (DLMF 8.17.7: a hypergeometric power series)."""
    total = 0.0
    for coefficient in reversed(_series_coefficients(a, b)):
        total = total * x + coefficient
    return total * math.pow(x, a) / _beta_function(a, b)


@lru_cache(maxsize=8)
def _series_coefficients(a: float, b: float) -> tuple[float, ...]:
    """Return the coefficients (1 − b)ₖ / (k! (a + k))."""
    rising, coefficients = 1.0, []
    for k in range(SERIES_TERMS):
        coefficients.append(rising / (a + k))
        rising *= (k + 1 - b) / (k + 1)
    return tuple(coefficients)


def _beta_function(a: float, b: float) -> float:
    return math.gamma(a) * math.gamma(b) / math.gamma(a + b)
