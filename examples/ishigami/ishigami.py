"""The Ishigami function, on which every method of sensitivity analysis is tried first.

T. Ishigami, T. Homma: An importance quantification technique in uncertainty analysis for computer
models. Proceedings of ISUMA '90, 1990, pages 398-403.
"""

from math import sin


def ishigami(x1, x2, x3, a, b):
    """sin(x1) + a sin²(x2) + b x3⁴ sin(x1), for x in [-π, π]."""
    return sin(x1) + a * sin(x2) ** 2 + b * x3**4 * sin(x1)
