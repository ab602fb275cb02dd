"""Will the river stay behind its levee?

The river, 5 km of it, 300 m wide, is that of B. Iooss, P. Lemaître: A review on global sensitivity analysis methods.
In: Uncertainty management in simulation-optimization of complex systems, Springer 2015.
"""

from math import tanh

GRAVITY = 9.81  # m/s²
LENGTH, WIDTH = 5000, 300  # m
BANK = 55.5  # m above the sea


def overflow(discharge, strickler, upstream, downstream, wind, levee):
    """How far the waves of the year's highest water reach above the crest of the levee, in metres; below zero all is dry.

    `discharge` is in m³/s, `strickler` in m^(1/3)/s, `upstream` and `downstream` are the bed's levels in
    metres, `wind` blows across with so many m/s, `levee` is the height upon the bank in metres.
    """
    slope = (upstream - downstream) / LENGTH
    depth = (discharge / (WIDTH * strickler * slope**0.5)) ** 0.6
    above = downstream + depth + waves(wind) / 2 - BANK - levee
    return {"above": above, "flooded": above > 0}


def waves(wind):
    """How high waves are at the lee bank, crest to trough in metres: Sverdrup, Munk and Bretschneider, for deep water."""
    if wind == 0:
        return 0.0
    return 0.283 * wind**2 / GRAVITY * tanh(0.0125 * (GRAVITY * WIDTH / wind**2) ** 0.42)
