import fc from "fast-check";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  annotationsOfImages,
  assignLabels,
  forEachAnnotation,
  removeAnnotations,
} from "../../core/library/annotations.ts";
import { connectionOf } from "../../core/library/database.ts";
import type { Writer } from "../../core/library/database.ts";
import { createLabels, deleteLabel, renameLabel } from "../../core/library/label-changes.ts";
import { listLabels } from "../../core/library/labels.ts";
import { openLibrary } from "../../core/library/open.ts";
import type { Library } from "../../core/library/open.ts";
import { history, recordOperation, redo, undo } from "../../core/library/operations.ts";
import { CoreError } from "../../core/util/errors.ts";
import { addImages, errorOf, temporaryFolder, temporaryLibrary } from "./support.ts";

const step = { kind: "assign-labels", summary: "Labelled images" };

function addLabel(db: Writer, name: string): number {
  return createLabels(db, [[name]]).result[0]?.id ?? 0;
}

function assignOne(db: Writer, imageId: number, labelId: number): void {
  assignLabels(db, [{ imageId, labelId, provenance: "person", confidence: 0.1 + 0.2 }], step);
}

describe("undo and redo", () => {
  test("have nothing to do in a new library", () => {
    const { db } = temporaryLibrary();
    expect(undo(db)).toBeNull();
    expect(redo(db)).toBeNull();
    expect(history(db, 10)).toEqual([]);
  });

  test("walk back and forth through history, newest first", () => {
    const { db } = temporaryLibrary();
    const [imageId = 0] = addImages(db, 1);
    const a = addLabel(db, "A");
    assignOne(db, imageId, a);
    const annotation = annotationsOfImages(db, [imageId]).get(imageId);
    renameLabel(db, a, "B");
    expect(undo(db)?.summary).toBe("Renamed the label A to B");
    expect(undo(db)).toMatchObject({ ...step, state: "undone" });
    expect(history(db, 10).map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      "rename-label undone",
      "assign-labels undone",
      "create-labels done",
    ]);
    expect(history(db, 1)).toHaveLength(1);
    expect(redo(db)).toMatchObject({ ...step, state: "done" });
    expect(annotationsOfImages(db, [imageId]).get(imageId)).toEqual(annotation);
    redo(db);
    expect(redo(db)).toBeNull();
    expect(listLabels(db).map(({ name }) => name)).toEqual(["B"]);
  });

  test("a new operation discards what was undone; one that changes nothing does not", () => {
    const { db } = temporaryLibrary();
    addLabel(db, "A");
    addLabel(db, "B");
    undo(db);
    createLabels(db, [["A"]]);
    expect(history(db, 10)).toHaveLength(2);
    addLabel(db, "C");
    expect(redo(db)).toBeNull();
    expect(listLabels(db).map(({ name }) => name)).toEqual(["A", "C"]);
    expect(history(db, 10).map(({ state }) => state)).toEqual(["done", "done"]);
    expect(connectionOf(db).prepare("SELECT count(*) FROM operation_changes").pluck().get()).toBe(2);
  });

  test("an operation whose callback throws leaves no trace, and keeps what could be redone", () => {
    const { db } = temporaryLibrary();
    addLabel(db, "A");
    undo(db);
    const boom = new Error("boom");
    expect(() =>
      recordOperation(db, step, (change) => {
        change.insert("labels", { name: "B", parent_id: null, position: 0 });
        throw boom;
      }),
    ).toThrow(boom);
    expect(listLabels(db)).toEqual([]);
    expect(redo(db)?.kind).toBe("create-labels");
  });

  test("an operation cannot change or delete a row that is not there", () => {
    const { db } = temporaryLibrary();
    const label = { id: 9, name: "A", parent_id: null, position: 0 };
    expect(errorOf(() => recordOperation(db, step, (change) => change.update("labels", label))).code).toBe(
      "row-unknown",
    );
    expect(errorOf(() => recordOperation(db, step, (change) => change.delete("annotations", 9))).code).toBe(
      "row-unknown",
    );
  });

  test.each([
    ["a row was changed", "UPDATE annotations SET confidence = 0.4"],
    ["a row is gone", "DELETE FROM annotations"],
  ])("refuse where %s behind the log's back, and change nothing", (_, sql) => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 2);
    const a = addLabel(db, "A");
    assignLabels(
      db,
      ids.map((imageId) => ({ imageId, labelId: a, provenance: "import", confidence: null })),
      step,
    );
    connectionOf(db).exec(`${sql} WHERE image_id = ${ids[0]}`);
    const before = annotationsOfImages(db, ids);
    const error = errorOf(() => undo(db));
    expect(error).toMatchObject({ code: "undo-conflict" });
    expect(error.message).toContain('"Labelled images"');
    expect(annotationsOfImages(db, ids)).toEqual(before);
    expect(history(db, 1)[0]?.state).toBe("done");
  });

  test("refuse to redo over a row that came in meanwhile", () => {
    const { db } = temporaryLibrary();
    addLabel(db, "A");
    undo(db);
    connectionOf(db).exec("INSERT INTO labels (id, name, position) VALUES (50, 'A', 0)");
    expect(errorOf(() => redo(db)).code).toBe("undo-conflict");
    expect(listLabels(db)).toHaveLength(1);
  });

  test("refuse to take away a label that something refers to", () => {
    const { db } = temporaryLibrary();
    const a = addLabel(db, "A");
    connectionOf(db).exec(`INSERT INTO labels (name, parent_id, position) VALUES ('B', ${a}, 0)`);
    expect(errorOf(() => undo(db)).code).toBe("undo-conflict");
  });

  test.each(["[1,2]", "{}", "x", '[1,"A",{},0]', "[[1],1,1,1]"])("report a damaged log: %s", (after) => {
    const { db } = temporaryLibrary();
    addLabel(db, "A");
    connectionOf(db).prepare("UPDATE operation_changes SET after = ?").run(after);
    expect(errorOf(() => undo(db)).code).toBe("library-corrupt");
  });
});

/** What the property below changes; numbers pick among the labels and images that there are. */
type Edit =
  | { readonly kind: "add" | "rename"; readonly label: number; readonly name: string }
  | { readonly kind: "delete"; readonly label: number; readonly target: number }
  | {
      readonly kind: "assign";
      readonly images: readonly number[];
      readonly label: number;
      readonly confidence: number | null;
    }
  | { readonly kind: "remove"; readonly images: readonly number[] };
type Command = Edit | { readonly kind: "undo" } | { readonly kind: "redo" } | { readonly kind: "reopen" };

const imageCount = 6;
const someImages = fc.uniqueArray(fc.nat(imageCount - 1), { minLength: 1 });
const label = fc.nat(20);
const name = fc.constantFrom("Oat", "Soy", "Rice", "Nut");
const confidence = fc.option(fc.double({ min: 0, max: 1, noNaN: true }));
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("add" as const, "rename" as const), label, name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), label, target: label }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("assign" as const), images: someImages, label, confidence }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), images: someImages }) },
  { weight: 3, arbitrary: fc.constant({ kind: "undo" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "redo" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
);

/** The plain model: label names by id, and for each image its label and confidence. */
interface Snapshot {
  readonly labels: ReadonlyMap<number, string>;
  readonly annotations: ReadonlyMap<number, readonly [labelId: number, confidence: number | null]>;
}

function snapshotOf(db: Writer): Snapshot {
  const annotations = new Map<number, readonly [number, number | null]>();
  forEachAnnotation(db, (annotation) =>
    annotations.set(annotation.imageId, [annotation.labelId, annotation.confidence]),
  );
  return { labels: new Map(listLabels(db).map((entry) => [entry.id, entry.name])), annotations };
}

/** The state after an edit as a plain program would have it; null where it is refused. */
function expected(now: Snapshot, ids: readonly number[], step: Edit, newLabelId: number | undefined): Snapshot | null {
  const labels = new Map(now.labels);
  const annotations = new Map(now.annotations);
  const pick = (index: number): number => [...now.labels.keys()][index % now.labels.size] ?? -1;
  switch (step.kind) {
    case "add":
      if (![...labels.values()].includes(step.name)) labels.set(newLabelId ?? -1, step.name);
      break;
    case "rename": {
      const id = pick(step.label);
      if ([...labels].some(([other, taken]) => other !== id && taken === step.name)) return null;
      labels.set(id, step.name);
      break;
    }
    case "delete": {
      const [id, target] = [pick(step.label), pick(step.target)];
      if (id === target) return null;
      labels.delete(id);
      for (const [imageId, [labelId, sure]] of annotations)
        if (labelId === id) annotations.set(imageId, [target, sure]);
      break;
    }
    case "assign":
      for (const index of step.images) annotations.set(ids[index] ?? -1, [pick(step.label), step.confidence]);
      break;
    case "remove":
      for (const index of step.images) annotations.delete(ids[index] ?? -1);
      break;
  }
  return { labels, annotations };
}

/** Makes an edit in the library; returns the id of a label that it added. */
function perform(db: Writer, now: Snapshot, ids: readonly number[], command: Edit): number | undefined {
  const pick = (index: number): number => [...now.labels.keys()][index % now.labels.size] ?? -1;
  const imageIds = "images" in command ? command.images.map((index) => ids[index] ?? -1) : [];
  switch (command.kind) {
    case "add":
      return createLabels(db, [[command.name]]).result[0]?.id;
    case "rename":
      renameLabel(db, pick(command.label), command.name);
      return undefined;
    case "delete":
      deleteLabel(db, pick(command.label), { moveTo: pick(command.target) });
      return undefined;
    case "assign": {
      const values = { labelId: pick(command.label), provenance: "person", confidence: command.confidence } as const;
      assignLabels(
        db,
        imageIds.map((imageId) => ({ imageId, ...values })),
        step,
      );
      return undefined;
    }
    case "remove":
      removeAnnotations(db, imageIds, step);
      return undefined;
  }
}

function sorted(snapshot: Snapshot): unknown {
  return [[...snapshot.labels].sort(([a], [b]) => a - b), [...snapshot.annotations].sort(([a], [b]) => a - b)];
}

describe("any sequence of changes, undo, redo and reopening", () => {
  test("ends where a plain program with a stack of snapshots ends", () => {
    const folder = temporaryFolder();
    let run = 0;
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 40, size: "max" }), (commands) => {
        const place = join(folder, String(run++));
        let library: Library = openLibrary(place, { mode: "write" });
        try {
          const ids = addImages(library.db, imageCount);
          addLabel(library.db, "First");
          let now = snapshotOf(library.db);
          // The first label itself can be undone.
          let past: Snapshot[] = [{ labels: new Map(), annotations: new Map() }];
          let future: Snapshot[] = [];
          for (const command of commands) {
            if (command.kind === "reopen") {
              library.close();
              library = openLibrary(place, { mode: "write" });
            } else if (command.kind === "undo") {
              const before = past.at(-1);
              expect(undo(library.db) === null).toBe(before === undefined);
              if (before !== undefined) [past, future, now] = [past.slice(0, -1), [...future, now], before];
            } else if (command.kind === "redo") {
              const after = future.at(-1);
              expect(redo(library.db) === null).toBe(after === undefined);
              if (after !== undefined) [past, future, now] = [[...past, now], future.slice(0, -1), after];
            } else if (now.labels.size > 0 || command.kind === "add") {
              let added: number | undefined;
              let refused = false;
              try {
                added = perform(library.db, now, ids, command);
              } catch (error) {
                if (!(error instanceof CoreError)) throw error;
                refused = true;
              }
              const next = expected(now, ids, command, added);
              expect(refused).toBe(next === null);
              // What changes nothing is no step of history.
              if (next !== null && JSON.stringify(sorted(next)) !== JSON.stringify(sorted(now))) {
                [past, future, now] = [[...past, now], [], next];
              }
            }
            expect(sorted(snapshotOf(library.db))).toEqual(sorted(now));
            expect(history(library.db, 100).map(({ state }) => state)).toEqual([
              ...future.map(() => "undone"),
              ...past.map(() => "done"),
            ]);
          }
        } finally {
          library.close();
        }
      }),
      { numRuns: 40 },
    );
  });
});
