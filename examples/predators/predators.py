"""Hares and lynxes of Canada, as many as their pelts tell, and the equations of Lotka and Volterra.

The pelts (thousands a year) that the Hudson's Bay Company took are those of C. Elton, M. Nicholson: The ten-year cycle
in numbers of the lynx in Canada. Journal of Animal Ecology 11, 1942, as read off by P. Howard, 2009.
"""

from math import log, sqrt

YEARS = range(1900, 1921)
HARES = (
    30,
    47.2,
    70.2,
    77.4,
    36.3,
    20.6,
    18.1,
    21.4,
    22,
    25.4,
    27.1,
    40.3,
    57,
    76.6,
    52.3,
    19.5,
    11.2,
    7.6,
    14.6,
    16.2,
    24.7,
)
LYNXES = (4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6)  # fmt: skip
STEPS = 50  # of Runge and Kutta, a year


def misfit(growth, predation, death, feeding, hares, lynxes):
    """How far the equations are from the pelts: the root mean square of the logarithms of their ratio.

    d hares / dt = growth hares - predation hares lynxes, d lynxes / dt = feeding hares lynxes - death lynxes, both
    from the numbers of 1900. Rates are a year's, those of two species a year's for a thousand pelts.
    """

    def change(u, v):
        return growth * u - predation * u * v, feeding * u * v - death * v

    found = [(hares, lynxes)]
    for _ in YEARS[1:]:
        found.append(a_year_later(change, *found[-1]))
    apart = [log(u / a) ** 2 + log(v / b) ** 2 for (u, v), a, b in zip(found, HARES, LYNXES, strict=True)]
    time = [(year - YEARS[0]) * 31557600 for year in YEARS]  # seconds, as series count
    return {
        "misfit": sqrt(sum(apart) / (2 * len(apart))),
        "hares": {"time": time, "value": [u for u, _ in found]},
        "lynxes": {"time": time, "value": [v for _, v in found]},
    }


def a_year_later(change, u, v):
    h = 1 / STEPS
    for _ in range(STEPS):
        a, b = change(u, v)
        c, d = change(u + h / 2 * a, v + h / 2 * b)
        e, f = change(u + h / 2 * c, v + h / 2 * d)
        g, i = change(u + h * e, v + h * f)
        u, v = u + h / 6 * (a + 2 * c + 2 * e + g), v + h / 6 * (b + 2 * d + 2 * f + i)
    return u, v
