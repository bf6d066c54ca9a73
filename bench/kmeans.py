"""scikit-learn's KMeans on rows of float32: python3 kmeans.py ROWS.f32 WIDTH CLUSTERS RESTARTS LABELS.i32"""
import json
import sys
import time

import numpy as np
import sklearn
from sklearn.cluster import KMeans

file, width, clusters, restarts, out = sys.argv[1:]
rows = np.fromfile(file, np.float32).reshape(-1, int(width))
start = time.perf_counter()
found = KMeans(n_clusters=int(clusters), n_init=int(restarts), random_state=1).fit(rows)
seconds = time.perf_counter() - start
found.labels_.astype(np.int32).tofile(out)
print(json.dumps({"seconds": seconds, "version": sklearn.__version__}))
