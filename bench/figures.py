"""What an attack does, in figures, of which some have a bound."""

import math
import statistics
from typing import NamedTuple

# A rate's clock and ours begin at different moments.
RATE_LEEWAY = 1.1


class Figure(NamedTuple):
    value: float
    # Such as "messages a second".
    what: str = ""
    # More than this breaks a bound.
    most: float = math.inf

    def is_over(self):
        return not self.value <= self.most

    def __str__(self):
        """As in the table: bold if it breaks its bound."""
        if math.isinf(self.value):
            text = "∞"
        else:
            is_whole = self.value == int(self.value) or self.value >= 100
            text = f"{self.value:,.{0 if is_whole else 2}f}"
        text = f"{text} {self.what}".rstrip()
        return f"**{text}**" if self.is_over() else text


def per_second(count, seconds, what, burst, rate):
    """A figure that is over its bound where a rate does not hold, which allows a burst first."""
    return Figure(count / seconds, what, RATE_LEEWAY * (burst / seconds + rate))


class Seen(NamedTuple):
    """What an attack saw itself."""

    figures: list[Figure] = []
    # Honest users who were put out, or could not come in.
    out: int = 0


def summary(runs):
    """Of each figure, which are the same ones in all runs: the median, or the worst if it has a
    bound."""

    def of(same):
        first = same[0]
        choose = statistics.median if math.isinf(first.most) else max
        return first._replace(value=choose(figure.value for figure in same))

    return [of(same) for same in zip(*runs)]


def p99(delays):
    """Of delays of which those that are None have not ended."""
    ordered = sorted(math.inf if delay is None else delay for delay in delays)
    return ordered[len(ordered) * 99 // 100] if ordered else math.inf
