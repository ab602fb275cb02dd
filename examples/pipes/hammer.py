"""Water hammer: what a valve at the end of a pipe does to the pressure when it closes."""

from math import pi

GRAVITY = 9.81  # m/s²
BULK = 2.19e9  # Pa, how hard water is to compress
DENSITY = 998.0  # kg/m³
YOUNG = {"cast iron": 110e9, "steel": 207e9, "PVC": 2.9e9, "PE": 0.9e9}  # Pa
FRICTION = 0.02  # of Darcy and Weisbach
REACHES = 40


def surge(length, diameter, wall, material, flow, closing, law):
    """The highest head at the valve above the reservoir's, in metres, by the method of characteristics.

    A pipe of `length` (m), `diameter` (m) and `wall` thickness (m) leads from a reservoir to a valve that is
    shut in `closing` seconds; before, `flow` (m³/s) runs through it. `law` lists the share of it that is left, at equal
    times from the first to the last moment of closing.
    """
    wave = (BULK / DENSITY / (1 + BULK * diameter / (YOUNG[material] * wall))) ** 0.5
    area = pi * diameter**2 / 4
    dx = length / REACHES
    b = wave / (GRAVITY * area)
    r = FRICTION * dx / (2 * GRAVITY * diameter * area**2)

    flows = [flow] * (REACHES + 1)
    heads = [-i * r * flow * abs(flow) for i in range(REACHES + 1)]
    highest = heads[-1]
    steps = round((closing + 4 * length / wave) / (dx / wave))
    for step in range(1, steps + 1):
        plus = [heads[i] + flows[i] * (b - r * abs(flows[i])) for i in range(REACHES)]
        minus = [heads[i] - flows[i] * (b - r * abs(flows[i])) for i in range(1, REACHES + 1)]
        left = flow * between(law, step * dx / wave / closing)
        heads = [0.0, *((p + m) / 2 for p, m in zip(plus, minus[1:], strict=False)), 0.0]
        flows = [-minus[0] / b, *((p - h) / b for p, h in zip(plus, heads[1:-1], strict=False)), left]
        heads[-1] = plus[-1] - b * flows[-1]
        highest = max(highest, heads[-1])
    return {"surge": highest, "wave_speed": wave}


def between(values, share):
    """The value at `share` of the way from the first of `values` to the last, on straight lines between them."""
    place = min(share, 1.0) * (len(values) - 1)
    before = min(int(place), len(values) - 2)
    return values[before] + (place - before) * (values[before + 1] - values[before])
