"""The Parzen-window estimate, and distances to neighbors, against direct implementations of the formulas.

``python -m benchmarks.parzen --json FILE``. The package uses blocked matrix products; the direct ones
subtract each pair of points, square and sum, in the same float64 on the same points. A direct one that would take
minutes runs on a share of the points and its time is scaled up, as each point takes equally long; the share is printed.
"""

import argparse
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks import endings
from benchmarks.timing import CLOCKS, interleaved, ratio, summary, told, write
from gan.metrics.distances import nearest_distances, neighbour_radii, squared_distances
from gan.metrics.manifold import density_coverage, precision_recall
from gan.metrics.parzen import log_density

GIBIBYTE = 2**30
BLOCKS = "one GiB of differences at a time"
ROWS = "one point at a time"


def direct_log_density(samples: Tensor, points: Tensor, sigmas: Tensor, block: int) -> Tensor:
    """Like :func:`gan.metrics.parzen.log_density`, by the formula: differences, squares, sums, logsumexp for each σ.

    Args:
        samples, points: float64 (N, D) and (P, D).
        sigmas: (S,).
        block: points whose differences to all samples, block · N · D numbers, are held at a time.
    """
    columns = []
    for part in points.split(block):
        squared = (part[:, None] - samples[None]).square().sum(-1)  # (block, N)
        columns.append(torch.stack([torch.logsumexp(-squared / (2 * sigma**2), 1) for sigma in sigmas]))
    norms = math.log(len(samples)) + 0.5 * samples.shape[1] * (2 * math.pi * sigmas.square()).log()
    return torch.cat(columns, 1) - norms[:, None]


def direct_distances(queries: Tensor, points: Tensor) -> Tensor:
    """All distances (Q, P) between float64 rows, each from the differences, by ``torch.cdist``."""
    return torch.cdist(queries, points, compute_mode="donot_use_mm_for_euclid_dist")


def direct_radii(queries: Tensor, points: Tensor, k: int, block: int = 100) -> Tensor:
    """The distance (Q,) of each query to its k-th nearest other point, by a full sort; the queries are points."""
    return torch.cat([direct_distances(part, points).sort(1).values[:, k] for part in queries.split(block)])


def direct_overlap(samples: Tensor, real: Tensor, k: int) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage with one k, from the definitions."""
    between = direct_distances(samples, real)
    in_real = between <= direct_radii(real, real, k)
    in_samples = between <= direct_radii(samples, samples, k)[:, None]
    return (
        float(in_real.any(1).double().mean()),
        float(in_samples.any(0).double().mean()),
        float(in_real.sum(1).double().mean() / k),
        float(in_real.any(0).double().mean()),
    )


def compare_densities(
    points: int, samples: int, dimensions: int, sigmas: int, share: int, rounds: int, clock=CLOCKS["wall"]
) -> dict:
    """Times of the package on all points and of the formula on the first ``share``, and their largest difference."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(samples, dimensions, generator=generator)
    # Some points are noisy samples, so that small widths give finite densities.
    seen = 0.9 * drawn[torch.randint(samples, (points,), generator=generator)]
    seen += 0.1 * torch.rand(points, dimensions, generator=generator)
    widths = torch.logspace(-1, 0, sigmas, dtype=torch.float64)
    wide_drawn, wide_seen = drawn.double(), seen.double()
    first = wide_seen[:share]
    block = max(1, GIBIBYTE // (8 * samples * dimensions))
    found: dict[str, Tensor] = {}

    def play(name: str, *arguments) -> None:
        found[name] = (log_density if name == "ours" else direct_log_density)(*arguments)

    seconds = interleaved(
        {
            "ours": lambda: play("ours", drawn, seen, widths),
            "its distances alone": lambda: [part.amin(1) for part in squared_distances(wide_seen, wide_drawn)],
            ROWS: lambda: play(ROWS, wide_drawn, first, widths, 1),
            BLOCKS: lambda: play(BLOCKS, wide_drawn, first, widths, block),
        },
        rounds,
        clock,
    )
    scale = points / len(first)
    for name in (ROWS, BLOCKS):
        seconds[name] = [scale * value for value in seconds[name]]
    return {
        "sizes": {"points": points, "samples": samples, "dimensions": dimensions, "sigmas": sigmas},
        "rounds": rounds,
        "direct_points": len(first),
        "block": block,
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "times_faster": {name: ratio(seconds[name], seconds["ours"]) for name in (ROWS, BLOCKS)},
        "largest_difference_in_nats": max(
            float((found["ours"][:, : len(first)] - found[name]).abs().max()) for name in (ROWS, BLOCKS)
        ),
    }


def compare_neighbours(count: int, dimensions: int, share: int, rounds: int, clock=CLOCKS["wall"]) -> dict:
    """Metrics of ``count`` samples and real points each against distances by differences and a sort.

    The direct side computes and sorts all distances of ``share`` points; its time is scaled to the distances of a
    metric with ``count`` points. Values are compared with ``share`` points in both implementations.
    """
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(count, dimensions, generator=generator)
    samples = 1.1 * torch.randn(count, dimensions, generator=generator)
    wide_real, wide_samples = real.double(), samples.double()
    first = wide_samples[:share]
    seconds = interleaved(
        {
            "precision_recall": lambda: precision_recall(samples, real),
            "density_coverage": lambda: density_coverage(samples, real),
            "nearest_distances": lambda: nearest_distances(samples, real),
            "sorted": lambda: direct_radii(first, wide_samples, 3),
            "smallest": lambda: [direct_distances(part, wide_real).amin(1) for part in first.split(100)],
        },
        rounds,
        clock,
    )
    scale = count / len(first)
    once, sort = ([scale * value for value in seconds.pop(name)] for name in ("smallest", "sorted"))
    # Radii of both sets and the distances between them; radii of one set and the distances; the distances.
    direct = {
        "precision_recall": [2 * s + o for s, o in zip(sort, once, strict=True)],
        "density_coverage": [s + o for s, o in zip(sort, once, strict=True)],
        "nearest_distances": once,
    }
    small = wide_samples[:share], wide_real[:share]
    expected = direct_overlap(*small, k=3)
    ours = (*precision_recall(*small, k=3), *density_coverage(*small, k=3))
    differences = {
        "radii": float((neighbour_radii(wide_samples, 3)[:share] - direct_radii(first, wide_samples, 3)).abs().max()),
        "nearest": float(
            (nearest_distances(first, wide_real) - direct_distances(first, wide_real).amin(1)).abs().max()
        ),
        "shares": max(abs(a - b) for a, b in zip(ours, expected, strict=True)),
    }
    return {
        "sizes": {"samples": count, "real": count, "dimensions": dimensions},
        "rounds": rounds,
        "direct_points": len(first),
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "direct_seconds": {name: summary(values) for name, values in direct.items()},
        "times_faster": {name: ratio(direct[name], seconds[name]) for name in direct},
        "largest_difference": differences,
    }


def main(words: Sequence[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parzen", description=__doc__.partition("\n")[0])
    for name, default in (("points", 10_000), ("samples", 10_000), ("dimensions", 784), ("sigmas", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--share", type=int, default=34, help="points for the direct formula")
    parser.add_argument("--features", type=int, nargs="*", default=[128, 784], help="feature sizes for the neighbors")
    parser.add_argument("--neighbours", type=int, default=10_000, help="points in each set for the neighbors")
    parser.add_argument("--neighbour-share", type=int, default=200, help="points whose distances are computed directly")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="threads of torch; 1 on a shared machine")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor on a shared machine")
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args(words)
    if given.threads:
        torch.set_num_threads(given.threads)
    rounds, clock = given.rounds, CLOCKS[given.clock]
    share = min(given.share, given.points)
    densities = compare_densities(given.points, given.samples, given.dimensions, given.sigmas, share, rounds, clock)
    print(f"Parzen: {given.points:,} points × {given.samples:,} samples × {given.dimensions}, {given.sigmas} widths")
    for name, seconds in densities["seconds"].items():
        faster = densities["times_faster"].get(name)
        shared = f"   ours is {told(faster, 'times faster')}, from {share} points" if faster else ""
        print(f"  {name:34}{told(seconds)}{shared}")
    print(f"  largest difference {densities['largest_difference_in_nats']:.1e} nats")
    neighbours = []
    for size in given.features:
        share = min(given.neighbour_share, given.neighbours)
        found = compare_neighbours(given.neighbours, size, share, rounds, clock)
        neighbours.append(found)
        print(f"Neighbours: {given.neighbours:,} × {given.neighbours:,} × {size}, direct from {share} points")
        for name, seconds in found["seconds"].items():
            direct, faster = told(found["direct_seconds"][name]), told(found["times_faster"][name], "times faster")
            print(f"  {name:20}{told(seconds)}, direct {direct}: {faster}")
        print("  largest difference " + ", ".join(f"{k} {v:.1e}" for k, v in found["largest_difference"].items()))
    results = {"clock": given.clock, "densities": densities, "neighbours": neighbours}
    write(given.json, results)
    return results


if __name__ == "__main__":
    endings.run(main)
