"""Figures of an attack; some have a bound."""

import math
import statistics
from typing import NamedTuple

# The server's clock of a rate starts earlier than the clock of the measurement.
RATE_LEEWAY = 1.1


class Figure(NamedTuple):
    value: float
    # The place of the number in the text, such as "{} messages per second".
    shown: str = "{}"
    # A greater value breaks the bound.
    most: float = math.inf

    def is_over(self):
        return not self.value <= self.most

    def __str__(self):
        """The cell of a table: bold if the figure breaks its bound."""
        if math.isinf(self.value):
            text = "∞"
        else:
            is_whole = self.value == int(self.value) or self.value >= 100
            text = f"{self.value:,.{0 if is_whole else 2}f}"
        text = self.shown.format(text)
        return f"**{text}**" if self.is_over() else text


def per_second(count, seconds, shown, burst, rate):
    """A figure whose bound is a rate limit: a burst, and then a rate."""
    return Figure(count / seconds, shown, RATE_LEEWAY * (burst / seconds + rate))


class Seen(NamedTuple):
    """The figures that an attack measured."""

    figures: list[Figure] = []
    # Honest users whose link the server ended, or who could not log in.
    out: int = 0


def summary(runs):
    """For each figure, the median of the runs, or the worst if it has a bound."""

    def of(same):
        first = same[0]
        choose = statistics.median if math.isinf(first.most) else max
        return first._replace(value=choose(figure.value for figure in same))

    return [of(same) for same in zip(*runs)]


def p99(delays):
    """p99 of delays; None means not arrived."""
    ordered = sorted(math.inf if delay is None else delay for delay in delays)
    return ordered[len(ordered) * 99 // 100] if ordered else math.inf
