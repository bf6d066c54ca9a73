"""The dense side of bench/tokencut.ts: TokenCut's generalised eigenproblem by LAPACK."""
import json
import sys
import time

import numpy as np
from scipy.linalg import eigh

settings = json.load(open(sys.argv[1]))


def best_of(runs, work):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        times.append(1000 * (time.perf_counter() - start))
    return result, min(times)


for case in settings["files"]:
    keys = np.fromfile(case["file"], dtype="<f4").reshape(case["count"], settings["width"]).astype(np.float64)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    weights = np.where(keys @ keys.T > 0.2, 1.0, 1e-5)
    degrees = np.diag(weights.sum(axis=1))
    (values, vectors), subset = best_of(
        settings["runs"], lambda: eigh(degrees - weights, degrees, subset_by_index=[1, 2])
    )
    _, full = best_of(2, lambda: eigh(degrees - weights, degrees))
    y = vectors[:, 0]
    partition = y > y.mean()
    seed = int(np.argmax(np.abs(y)))
    if not partition[seed]:
        partition = ~partition
    result = {
        "partition": partition.astype(int).tolist(),
        "height": (np.abs(y) / np.abs(y).max()).tolist(),
        "subsetMs": subset,
        "fullMs": full,
        "gap": float(values[1] - values[0]),
    }
    json.dump(result, open(case["file"] + ".json", "w"))
