"""Fuzzing of the reader: hostile files, each judged under limits of time and memory. `make fuzz`, CONTRIBUTING.md.

`mangling` makes inputs out of `studies`, `judging` says what has to hold of any, `limits` what one may cost; the
program (`python -m tests.fuzz`) keeps what broke in `corpus/`, and `test_corpus` replays it.
"""
