"""Ten years of a pumping station: pumps wear out and are mended, and lightning strikes the switchboard."""

from random import Random

DAY = 24.0  # hours
LIFE = 10 * 365 * DAY


def run(price, pumps, needed, shape, life, repair, delivery, crew, contract, storms, struck, seed):
    """The share of ten years in which fewer than `needed` of `pumps` pumps ran, and how often that began.

    A pump costs `price` and lives for a time after Weibull's law with `shape` and characteristic `life`
    (hours). To mend it takes about `delivery` hours until the part is there and `repair` hours of work for one of
    the `crew` (exponential, all of them); a hired crew, by its `contract`, comes a day later than one's own. In each
    of the `storms` of the ten years each pump that runs is stopped with probability `struck`.
    """
    draw = Random(seed)
    away = delivery + repair / crew + (DAY if contract == "hired" else 0.0)
    changes = [draw.weibullvariate(life, shape) for _ in range(pumps)]  # when each pump changes next
    runs = [True] * pumps
    strikes = sorted((draw.uniform(0, LIFE) for _ in range(storms)), reverse=True)
    now = short = 0.0
    times = 0
    while True:
        was_enough = sum(runs) >= needed
        coming = min(*changes, strikes[-1] if strikes else LIFE, LIFE)
        short += 0.0 if was_enough else coming - now
        now = coming
        if now >= LIFE:
            return {"short": short / LIFE, "times": times, "paid": price * pumps}
        if strikes and now == strikes[-1]:
            strikes.pop()
            hit = [k for k in range(pumps) if runs[k] and draw.random() < struck]
        else:
            hit = [changes.index(now)]
        for k in hit:
            runs[k] = not runs[k]
            stays = draw.weibullvariate(life, shape) if runs[k] else draw.expovariate(1 / away)
            changes[k] = now + stays
        times += was_enough and sum(runs) < needed
