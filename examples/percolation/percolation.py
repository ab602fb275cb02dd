"""Does water find a way through porous rock? Site percolation on a square lattice."""

from random import Random


def percolates(width, porosity, seed):
    """Whether open sites connect top and bottom, and the share of all sites in the largest cluster.

    Each of width² sites is open with probability `porosity`. Clusters are joined as in J. Hoshen, R. Kopelman,
    Physical Review B 14, 1976.
    """
    draw = Random(seed)
    parent, size = [], []  # of each label

    def root(label):
        while parent[label] != label:
            parent[label] = label = parent[parent[label]]
        return label

    first, above = set(), [None] * width
    for line in range(width):
        here = []
        for column in range(width):
            if draw.random() >= porosity:
                here.append(None)
                continue
            beside = [root(n) for n in (above[column], here[-1] if here else None) if n is not None]
            if not beside:
                beside = [len(parent)]
                parent.append(beside[0])
                size.append(0)
            label = min(beside)
            for other in set(beside) - {label}:
                parent[other] = label
                size[label] += size[other]
            size[label] += 1
            here.append(label)
        if line == 0:
            first = {label for label in here if label is not None}
        above = here
    top = {root(label) for label in first}
    bottom = {root(label) for label in above if label is not None}
    return {"through": bool(top & bottom), "largest": max(size, default=0) / width**2}
