"""Customers at a counter: one clerk who is fast, or several who are not."""

from heapq import heapify, heapreplace
from random import Random

CUSTOMERS = 2000
WARM_UP = 200  # the first ones find an empty shop, and are not counted


def wait(clerks, load, seed):
    """How long customers wait, mean and 95th percentile, in units of one clerk's mean service with one clerk.

    Customers come at random, on average `load` in a unit of time, and are served in the order they come. All
    clerks together are as fast as one alone would be, so `load` is the share of time that they are busy. The same
    `seed` brings the same customers at the same moments with the same errands, however many clerks there are.
    """
    draw = Random(seed)
    now, waits = 0.0, []
    free = [0.0] * clerks  # when each clerk is done with everyone so far
    heapify(free)
    for _ in range(CUSTOMERS):
        now += draw.expovariate(load)
        begins = max(now, free[0])
        heapreplace(free, begins + draw.expovariate(1.0) * clerks)
        waits.append(begins - now)
    counted = sorted(waits[WARM_UP:])
    return {"mean": sum(counted) / len(counted), "p95": counted[int(0.95 * len(counted))]}
