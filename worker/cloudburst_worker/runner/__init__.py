"""What runs in the payload's own environment: standard library only, Python 3.9 or later.

`python -m cloudburst_worker.runner` serves jobs for one supervisor. Nothing here imports from the
rest of `cloudburst_worker`; the rest may import `frames` and `endings` from here.
"""
