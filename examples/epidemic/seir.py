"""An epidemic in a town: susceptible, exposed, infectious, removed."""

TOWN = 100_000  # people, ten of them infectious on day 0
STEP = 0.1  # days


def outbreak(reproduction, incubation, infectious, distancing, reacts_after):
    """How many fall ill, how many at once, and when that is.

    One infectious person infects `reproduction` others among susceptible ones; people are ill unnoticed for
    `incubation` days and infectious for `infectious` days. Once a share `reacts_after` of the town is infectious,
    contacts are fewer by the share `distancing`, for good.
    """
    s, e, i = TOWN - 10.0, 0.0, 10.0
    contacts = reproduction / infectious
    day = peak = peak_day = 0.0
    reacted = False
    while day < 60 or e + i > 1:
        reacted = reacted or i > reacts_after * TOWN
        rate = contacts * (1 - distancing if reacted else 1) * i / TOWN
        infected, ill, well = (STEP * x for x in (rate * s, e / incubation, i / infectious))
        s, e, i = s - infected, e + infected - ill, i + ill - well
        day += STEP
        if i > peak:
            peak, peak_day = i, day
    return {"total": TOWN - s, "peak": peak, "peak_day": peak_day, "days": day}
