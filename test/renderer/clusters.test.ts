import { describe, expect, test } from "vitest";
import type { ModelRow } from "../../core/rpc/views.ts";
import { clusterState } from "../../renderer/lib/cluster-words.ts";
import { isGuess, orderClusters, usualClusterCount, type WallCluster } from "../../renderer/lib/cluster-order.ts";
import { modelFamilies, modelLookOf } from "../../renderer/lib/model-looks.ts";

function cluster(id: number, change: Partial<WallCluster>): WallCluster {
  return {
    id,
    modelId: 1,
    size: 10,
    medoidImageId: null,
    medoid: null,
    labelled: 0,
    purity: null,
    proposal: null,
    typical: [],
    ...change,
  };
}

function row(id: number, name: string, blend: number | null): ModelRow {
  return {
    model: {
      id,
      name,
      kind: "vit",
      file: "",
      hash: "",
      architecture: null,
      imageSize: 224,
      width: 8,
      trained: true,
      foreground: blend === null ? null : { blend },
      provenance: { source: "", format: "", sourceHash: null, notes: {} },
      createdAt: 0,
    },
    embedded: 0,
    labelled: 0,
    suggestions: 0,
    clusters: 0,
    offered: 0,
    mapped: 0,
    seesPatches: true,
    heads: 3,
  };
}

const wall = [
  cluster(1, { size: 50, labelled: 50, purity: 1 }),
  cluster(2, { size: 40, labelled: 10, purity: 0.9 }),
  cluster(3, { size: 35, labelled: 0 }),
  cluster(4, { size: 20, labelled: 12, purity: 0.5 }),
];
const idsOf = (order: "largest" | "to-label" | "mixed", all: boolean): number[] =>
  orderClusters(wall, { order, all }).map(({ id }) => id);

describe("the wall of clusters", () => {
  test("is ordered by size, by what is left to label, or by how mixed the labels are", () => {
    expect(idsOf("largest", true)).toEqual([1, 2, 3, 4]);
    expect(idsOf("to-label", true)).toEqual([3, 2, 4, 1]);
    expect(idsOf("mixed", true)).toEqual([4, 2, 1, 3]);
  });

  test("leaves out clusters with nothing left to label, where that is wanted", () => {
    expect(idsOf("largest", false)).toEqual([2, 3, 4]);
  });

  test("takes a name for a guess that neighbours say, or fewer than half of the labels, or one label among many", () => {
    const said = (share: number, source: "members" | "neighbours", labelled = 5, size = 70): boolean =>
      isGuess({ proposal: { labelId: 1, label: "Oat", share, source }, labelled, size });
    expect([said(0.9, "members"), said(0.4, "members"), said(0.9, "neighbours")]).toEqual([false, true, true]);
    expect([said(1, "members", 1), said(1, "members", 2), said(1, "members", 3)]).toEqual([true, true, false]);
    expect([said(1, "members", 1, 2), said(1, "members", 1, 4)]).toEqual([false, true]);
    expect(isGuess({ proposal: null, labelled: 0, size: 3 })).toBe(false);
  });

  test("says how pure a cluster is only where labels tell", () => {
    expect(clusterState(cluster(1, { size: 72, labelled: 1, purity: 1 }))).toBe("1 labelled");
    expect(clusterState(cluster(1, { size: 72, labelled: 4, purity: 0.75 }))).toBe("4 labelled · 75 % pure");
  });

  test("begins with a number of clusters that the images can fill", () => {
    expect(usualClusterCount(3000, 10)).toBe(120);
    expect(usualClusterCount(3000, 200)).toBe(400);
    expect(usualClusterCount(5, 0)).toBe(2);
    expect(usualClusterCount(1, 0)).toBe(1);
    expect(usualClusterCount(1_000_000, 3)).toBe(1000);
  });
});

describe("models and what they look at", () => {
  const models = [row(1, "small", null), row(2, "base@448", null), row(3, "small+foreground", 0.5)];

  test("a model and its foreground are one family", () => {
    expect(
      modelFamilies(models).map(({ name, whole, foreground }) => [name, whole?.model.id, foreground?.model.id]),
    ).toEqual([
      ["small", 1, 3],
      ["base@448", 2, undefined],
    ]);
  });

  test("the address decides, then the model that is meant where none is named", () => {
    const chosen = (current: number | null, named: { model?: string; look?: string }) => {
      const found = modelLookOf(models, current, named);
      return found === null ? null : [found.family.name, found.look, found.row?.model.id];
    };
    expect(chosen(2, {})).toEqual(["base@448", "whole", 2]);
    expect(chosen(3, {})).toEqual(["small", "foreground", 3]);
    expect(chosen(2, { model: "1", look: "foreground" })).toEqual(["small", "foreground", 3]);
    expect(chosen(1, { model: "2", look: "foreground" })).toEqual(["base@448", "foreground", undefined]);
    expect(chosen(1, { model: "99", look: "strange" })).toEqual(["small", "whole", 1]);
    expect(modelLookOf([], null, {})).toBeNull();
  });
});
