"""Judges a map, and umap-learn's of the same rows: python3 map.py ROWS.f32 WIDTH MAP.f32 [--alone]"""
import sys
import time

import numpy as np
from sklearn.manifold import trustworthiness

file, width, map_file = sys.argv[1:4]
rows = np.fromfile(file, np.float32).reshape(-1, int(width))
chosen = np.random.RandomState(0).choice(len(rows), min(len(rows), 4000), replace=False)


def judge(name, places):
    trust = trustworthiness(rows[chosen], places[chosen], n_neighbors=15, metric="cosine")
    print(f"{name}: trustworthiness {trust:.4f}")


judge("dinoscope", np.fromfile(map_file, np.float32).reshape(-1, 2))
if "--alone" not in sys.argv:
    import umap

    start = time.perf_counter()
    places = umap.UMAP(n_neighbors=15, metric="cosine", random_state=1).fit_transform(rows)
    judge(f"umap-learn {umap.__version__} in {time.perf_counter() - start:.1f} s", places)
