#!/usr/bin/env python3
"""Reads exports of Dinoscope with other people's programs and says whether all agrees.

Usage: read-exports.py FOLDER, where FOLDER holds exports of one library, each under the name of its format (coco,
coco-polygon, masks-binary, masks-index, masks-soft, npy, parquet, voc, yolo-segment), made with
`dinoscope export FORMAT FOLDER/FORMAT --upright`.

Needs numpy and PIL. COCO is read by pycocotools and Parquet by pyarrow and duckdb where they are installed; what could not
be tried is named. The masks of masks-binary, read by PIL, are the truth that everything else must equal.
"""
import csv
import json
import os
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
from PIL import Image, ImageOps

root = sys.argv[1]
failures = []


def check(name, good, detail=""):
    print(f"{'ok  ' if good else 'FAIL'} {name} {detail}")
    if not good:
        failures.append(name)


def originals(export):
    """Exported picture by original path."""
    with open(f"{root}/{export}/manifest.json", encoding="utf-8") as file:
        names = json.load(file)["names"]
    return {entry["original"]: entry["path"] for entry in names}


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def has(export):
    there = os.path.isdir(f"{root}/{export}")
    if not there:
        print(f"--   {export} is not there")
    return there


truth = {}
for original, path in originals("masks-binary").items():
    mask = Image.open(f"{root}/masks-binary/masks/{stem(path)}.png")
    check(f"PIL opens the mask of {original!r}", mask.mode == "L")
    values = np.asarray(mask)
    check("  of 0 and 255 alone", set(np.unique(values)) <= {0, 255})
    truth[original] = values == 255
    picture = Image.open(f"{root}/masks-binary/images/{os.path.basename(path)}")
    check("  at the size of the upright picture", ImageOps.exif_transpose(picture).size == mask.size)

if has("masks-index"):
    with open(f"{root}/masks-index/classes.json", encoding="utf-8") as file:
        known = {entry["index"] for entry in json.load(file)["classes"]}
    for original, path in originals("masks-index").items():
        values = np.asarray(Image.open(f"{root}/masks-index/masks/{stem(path)}.png"))
        good = np.array_equal(values > 0, truth[original]) and set(np.unique(values)) - {0} <= known
        check(f"index mask of {original!r}", good, f"classes {sorted(set(np.unique(values)) - {0})}")

if has("masks-soft"):
    for original, path in originals("masks-soft").items():
        image = Image.open(f"{root}/masks-soft/masks/{stem(path)}.png")
        values = np.asarray(image)
        check(f"soft mask of {original!r}", image.mode.startswith("I") and values.max() <= 65535, f"up to {values.max()}")

for export in ["coco", "coco-polygon"]:
    if not has(export):
        continue
    try:
        from pycocotools.coco import COCO
    except ImportError:
        print(f"--   {export}: pycocotools is not installed")
        continue
    coco = COCO(f"{root}/{export}/annotations/instances_all.json")
    for image in coco.loadImgs(coco.getImgIds()):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        mask = np.zeros((image["height"], image["width"]), bool)
        for annotation in annotations:
            one = coco.annToMask(annotation).astype(bool)
            mask |= one
            rows, columns = np.nonzero(one)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            check(f"{export}: area and box of {image['file_name']}", annotation["area"] == one.sum() and annotation["bbox"] == box)
        check(f"{export}: pixels of {image['file_name']}", np.array_equal(mask, truth[image["original_path"]]))

if has("yolo-segment"):
    for original, path in originals("yolo-segment").items():
        height, width = truth[original].shape
        inside = np.zeros((height, width), bool)
        with open(f"{root}/yolo-segment/labels/train/{stem(path)}.txt", encoding="utf-8") as file:
            lines = [line.split() for line in file]
        for _class, *shares in lines:
            corners = np.array(shares, float).reshape(-1, 2) * [width, height]
            xs, ys = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
            # Even-odd rule, edge by edge.
            filled = np.zeros((height, width), bool)
            for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0)):
                crosses = (y0 > ys) != (y1 > ys)
                with np.errstate(divide="ignore", invalid="ignore"):
                    filled ^= crosses & (xs < (x1 - x0) * (ys - y0) / (y1 - y0) + x0)
            inside |= filled
        check(f"yolo-segment: pixels of {original!r}", np.array_equal(inside, truth[original]))

if has("voc"):
    for original, path in originals("voc").items():
        tree = ElementTree.parse(f"{root}/voc/Annotations/{stem(path)}.xml")
        box = [int(tree.find("object/bndbox").find(edge).text) for edge in ["xmin", "ymin", "xmax", "ymax"]]
        rows, columns = np.nonzero(truth[original])
        wanted = [columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1]
        image = Image.open(f"{root}/voc/SegmentationClass/{stem(path)}.png")
        good = image.mode == "P" and np.array_equal(np.asarray(image) > 0, truth[original])
        check(f"voc: box and segmentation of {original!r}", good and box == wanted)

vectors = None
if has("npy"):
    vectors = np.load(f"{root}/npy/embeddings.npy", allow_pickle=False)
    with open(f"{root}/npy/rows.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    check("npy", vectors.dtype == np.float32 and len(rows) == len(vectors), str(vectors.shape))

if has("parquet"):
    file = f"{root}/parquet/embeddings.parquet"
    tables = {}
    try:
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(file).to_pydict()
        tables["pyarrow"] = (table["path"], table["embedding"])
    except ImportError:
        print("--   parquet: pyarrow is not installed")
    try:
        import duckdb

        result = duckdb.sql(f"select path, embedding from '{file}'").fetchall()
        tables["duckdb"] = ([row[0] for row in result], [row[1] for row in result])
    except ImportError:
        print("--   parquet: duckdb is not installed")
    for reader, (paths, found) in tables.items():
        good = vectors is not None and np.array_equal(np.array([list(v) for v in found], np.float32), vectors)
        check(f"parquet by {reader}", good and list(paths) == [row["path"] for row in rows], f"{len(found)} rows")

print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
