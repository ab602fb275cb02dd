"""How much water flows through a borehole from the upper of two aquifers into the lower one.

W. V. Harper, S. K. Gupta: Sensitivity/uncertainty analysis of a borehole scenario comparing Latin hypercube
sampling and deterministic sensitivity approaches. BMI/ONWI-516, Battelle Memorial Institute, 1983.
"""

from math import log, pi


def flow(rw, r, tu, hu, tl, hl, length, kw):
    """Cubic metres a year.

    `rw` and `r` are the radii of the borehole and of its influence (m), `tu` and `tl` the transmissivities of the
    upper and the lower aquifer (m²/year), `hu` and `hl` their heads (m), `length` is the borehole's (m), `kw` its
    hydraulic conductivity (m/year).
    """
    width = log(r / rw)
    resistance = 2 * length * tu / (width * rw**2 * kw)
    return 2 * pi * tu * (hu - hl) / (width * (1 + resistance + tu / tl))
