"""
HDBSCAN by its definition, in O(n^2): the reference of test/suggest/hdbscan.test.ts. Needs numpy and scipy.

    python3 bench/hdbscan_reference.py > test/fixtures/hdbscan.json

The tree comes from scipy's single linkage over the full matrix of mutual reachability; clusters are followed by recursion
over sets of points. Core distances count the point itself, as in scikit-learn 1.3 and later.
"""
import json

import numpy as np
from scipy.cluster.hierarchy import linkage, to_tree
from scipy.spatial.distance import cdist, squareform


def reference(points, minimum, samples):
    distances = cdist(points, points)
    core = np.sort(distances, axis=1)[:, samples - 1]
    reach = np.maximum(distances, np.maximum(core[:, None], core[None, :]))
    np.fill_diagonal(reach, 0)
    root = to_tree(linkage(squareform(reach, checks=False), "single"))

    def follow(node, birth):
        """Stability of the cluster that begins at `node`, and the best partition at or below it."""
        members, stability = node.pre_order(), 0.0
        while not node.is_leaf():
            level = 1 / node.dist
            large = [child for child in (node.left, node.right) if child.count >= minimum]
            small = [child for child in (node.left, node.right) if child.count < minimum]
            stability += sum((level - birth) * child.count for child in small)
            if len(large) == 2:
                stability += sum((level - birth) * child.count for child in large)
                inner = [follow(child, level) for child in large]
                total = sum(value for value, _ in inner)
                if birth == 0 or total > stability:
                    return total, [part for _, parts in inner for part in parts]
                return stability, [members]
            if not large:
                break
            node = large[0]
        return stability, ([] if birth == 0 else [members])

    labels = np.full(len(points), -1)
    for label, part in enumerate(sorted(follow(root, 0.0)[1], key=min)):
        labels[part] = label
    return labels


def moons(random, count):
    angle = random.uniform(0, np.pi, count)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    return np.concatenate([upper[: count // 2], lower[count // 2 :]]) + random.normal(0, 0.06, (count, 2))


def blobs(random):
    parts = [((0, 0), 0.3, 40), ((3, 0), 0.6, 50), ((0, 4), 0.2, 25)]
    found = [random.normal(centre, spread, (count, 2)) for centre, spread, count in parts]
    return np.concatenate([*found, random.uniform(-3, 6, (35, 2))])


def uneven(random):
    parts = [(0, 1.0, 70), (0.4, 0.05, 20), (4, 0.3, 30), (4.6, 0.1, 15)]
    return np.concatenate([random.normal(centre, spread, (count, 3)) for centre, spread, count in parts])


def stable(make, minimum, samples):
    """
    The first of many drawn sets whose partition does not hang on the order of its points: core distances make many
    distances equal, and equal ones may be joined in any order.
    """
    for seed in range(100):
        random = np.random.RandomState(seed)
        points = np.round(make(random), 4)
        labels = reference(points, minimum, samples)
        for _ in range(8):
            order = random.permutation(len(points))
            shuffled = reference(points[order], minimum, samples)
            pairs = set(zip(labels[order].tolist(), shuffled.tolist()))
            if not len(pairs) == len(set(labels.tolist())) == len({label for _, label in pairs}):
                break
        else:
            return points, labels
    raise SystemExit("No set is without ties that matter.")


cases = [
    ("blobs with noise", blobs, 8, 5),
    ("two moons", lambda random: moons(random, 160), 12, 3),
    ("dense inside sparse", uneven, 6, 6),
    ("dense inside sparse, one sample", uneven, 10, 1),
    ("no clusters", lambda random: random.uniform(0, 1, (60, 2)), 12, 12),
]
print("[")
for at, (name, make, minimum, samples) in enumerate(cases):
    points, labels = stable(make, minimum, samples)
    case = {"name": name, "minimum": minimum, "samples": samples, "width": points.shape[1],
            "points": points.ravel().tolist(), "labels": labels.tolist()}
    print(json.dumps(case) + ("," if at + 1 < len(cases) else ""))
print("]")
