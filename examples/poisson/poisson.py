"""Heat in a square plate of two materials, solved by three methods: how many rounds does each take?

The plate has n × n inner points and an edge at 0; it is heated evenly. The right half conducts `contrast` times as
well as the left one.
"""

MOST = 20_000  # rounds
CLOSE = 1e-6  # the residual's length, as a share of the source's


def solve(n, contrast, solver, relaxation=1.0, preconditioner="identity"):
    plate = Plate(n, contrast)
    if solver == "cg":
        rounds, field = conjugate_gradients(plate, preconditioner)
    else:
        rounds, field = sweeps(plate, relaxation, fresh=solver == "sor")
    return {"rounds": rounds, "hottest": max(field)}


class Plate:
    """The five-point scheme. A field is a list of (n + 2)² temperatures, line by line, the edge's among them."""

    def __init__(self, n, contrast):
        self.wide = n + 2
        self.inner = [j * self.wide + i for j in range(1, n + 1) for i in range(1, n + 1)]
        conducts = [1.0 if k % self.wide <= n // 2 else contrast for k in range(self.wide**2)]
        self.links = {
            k: [(m, 2 * conducts[k] * conducts[m] / (conducts[k] + conducts[m])) for m in self.beside(k)]
            for k in self.inner
        }
        self.diagonal = {k: sum(c for _, c in links) for k, links in self.links.items()}
        self.source = 1.0 / (n + 1) ** 2

    def beside(self, k):
        return (k - self.wide, k - 1, k + 1, k + self.wide)

    def field(self):
        return [0.0] * self.wide**2

    def times(self, x):
        y = self.field()
        for k, links in self.links.items():
            y[k] = self.diagonal[k] * x[k] - sum(c * x[m] for m, c in links)
        return y

    def is_solved_by(self, x):
        left = [self.source - y for k, y in enumerate(self.times(x)) if k in self.links]
        return dot(left, left) <= (CLOSE * self.source) ** 2 * len(left)


def sweeps(plate, relaxation, fresh):
    """Jacobi's method, or with `fresh` values as soon as they are there successive over-relaxation."""
    x = plate.field()
    for done in range(1, MOST + 1):
        seen = x if fresh else list(x)
        for k, links in plate.links.items():
            wanted = (plate.source + sum(c * seen[m] for m, c in links)) / plate.diagonal[k]
            x[k] += relaxation * (wanted - x[k])
        if plate.is_solved_by(x):
            return done, x
    return MOST, x


def conjugate_gradients(plate, preconditioner):
    improve = {"identity": list, "diagonal": plate_diagonal(plate), "ssor": symmetric_sweep(plate)}[
        preconditioner
    ]
    x, r = plate.field(), plate.field()
    for k in plate.inner:
        r[k] = plate.source
    z = improve(r)
    p, size = list(z), dot(r, z)
    for done in range(1, MOST + 1):
        q = plate.times(p)
        step = size / dot(p, q)
        x = [a + step * b for a, b in zip(x, p, strict=True)]
        r = [a - step * b for a, b in zip(r, q, strict=True)]
        if plate.is_solved_by(x):
            return done, x
        z = improve(r)
        size, before = dot(r, z), size
        p = [a + size / before * b for a, b in zip(z, p, strict=True)]
    return MOST, x


def plate_diagonal(plate):
    def improve(r):
        z = plate.field()
        for k, d in plate.diagonal.items():
            z[k] = r[k] / d
        return z

    return improve


def symmetric_sweep(plate):
    """One sweep forth and one back, which is (D + L) D⁻¹ (D + U) undone."""

    def improve(r):
        y, z = plate.field(), plate.field()
        for k in plate.inner:
            y[k] = (r[k] + sum(c * y[m] for m, c in plate.links[k] if m < k)) / plate.diagonal[k]
        for k in reversed(plate.inner):
            z[k] = y[k] + sum(c * z[m] for m, c in plate.links[k] if m > k) / plate.diagonal[k]
        return z

    return improve


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))
