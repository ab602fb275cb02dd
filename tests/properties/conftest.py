"""Hypothesis, without a clock: a law holds or it does not, however busy the machine is."""

from hypothesis import settings

settings.register_profile("laws", deadline=None)
settings.load_profile("laws")
