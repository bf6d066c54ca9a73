import { expect, test } from "vitest";
import { runPictures } from "../../core/jobs/pretrain-pictures.ts";
import { chooseProbes, probePictures } from "../../core/jobs/pretrain-probes.ts";
import type { Writer } from "../../core/library/database.ts";
import type { ProbeSet } from "../../core/library/probe-sets.ts";
import { baselineOf } from "../../core/rpc/probe-baseline.ts";
import type { RunProbe } from "../../core/rpc/records.ts";
import { annotate } from "../helpers/annotate.ts";
import { addImages, temporaryLibrary } from "../library/support.ts";

const choose = (db: Writer, kept: ProbeSet | null, iteration: number): ProbeSet =>
  chooseProbes(db, runPictures(db), kept, iteration);

const label = (db: Writer, ids: readonly number[], name: string): void =>
  annotate(
    db,
    ids.map((imageId) => ({ imageId, label: [name] })),
  );

test("a run is probed with the same pictures when others come", () => {
  const { db } = temporaryLibrary();
  const ids = addImages(db, 30);
  label(db, ids.slice(0, 6), "apple");
  label(db, ids.slice(6, 12), "pear");
  const first = choose(db, null, 0);
  expect([...first.pictures.imageIds].sort((a, b) => a - b)).toEqual(ids);
  expect(first.labelled.imageIds).toHaveLength(12);
  label(db, addImages(db, 5, "/more"), "plum");
  expect(choose(db, first, 50)).toEqual(first);
  const indices = probePictures(db, runPictures(db), first);
  const { imageIds } = runPictures(db);
  expect(indices.retrieval.map((index) => imageIds[index])).toEqual(first.pictures.imageIds);
  expect(indices.attention).toEqual(indices.retrieval.slice(0, 6));
});

test("it is probed with others, and says since when, where labels changed or far more came", () => {
  const { db } = temporaryLibrary();
  const ids = addImages(db, 30);
  const without = choose(db, null, 0);
  expect(without.labelled).toMatchObject({ imageIds: [], since: 0 });
  expect(choose(db, without, 20)).toEqual(without);

  label(db, ids.slice(0, 6), "apple");
  label(db, ids.slice(6, 12), "pear");
  const labelled = choose(db, without, 40);
  expect(labelled.pictures).toEqual(without.pictures);
  expect(labelled.labelled.since).toBe(40);
  expect(labelled.labelled.imageIds).toHaveLength(12);

  label(db, ids.slice(5, 6), "pear");
  const corrected = choose(db, labelled, 60);
  expect(corrected).toMatchObject({ pictures: { since: 0 }, labelled: { since: 60 } });
  addImages(db, 100, "/more");
  expect(choose(db, corrected, 80)).toMatchObject({ pictures: { since: 80 }, labelled: { since: 60 } });
});

test("it is probed with others where one of its pictures is gone", () => {
  const { db } = temporaryLibrary();
  addImages(db, 20);
  const first = choose(db, null, 0);
  const all = runPictures(db);
  const [gone] = first.pictures.imageIds;
  const left = all.imageIds.flatMap((id, i) => (id === gone ? [] : [i]));
  const fewer = {
    ...all,
    imageIds: left.map((i) => all.imageIds[i] ?? 0),
    contentHashes: left.map((i) => all.contentHashes[i] ?? ""),
  };
  const next = chooseProbes(db, fewer, first, 10);
  expect(next.pictures).toMatchObject({ since: 10 });
  expect(next.pictures.imageIds).not.toContain(gone);
});

test("a probe is compared with the first on the same pictures, all of which could be read", () => {
  const probe = (iteration: number, values: Partial<RunProbe> = {}): RunProbe => ({
    ...{ iteration, selfRetrieval: 0.5, selfRetrievalCount: 20, accuracy: 0.5, accuracyCount: 12 },
    ...{ picturesSince: 0, labelsSince: 0, createdAt: 1, ...values },
  });
  const probes = [
    probe(0),
    probe(10, { selfRetrievalCount: 19 }),
    probe(20, { labelsSince: 20 }),
    probe(30, { labelsSince: 20 }),
    probe(40, { labelsSince: 20, selfRetrievalCount: 19 }),
  ];
  const baseline = (of: number, part: "pictures" | "labels"): number =>
    baselineOf(probes, probes[of] ?? probe(0), part).iteration;
  expect([0, 1, 2, 3, 4].map((of) => baseline(of, "pictures"))).toEqual([0, 10, 0, 0, 10]);
  expect([0, 1, 2, 3, 4].map((of) => baseline(of, "labels"))).toEqual([0, 0, 20, 20, 20]);
});
