import { describe, expect, test } from "vitest";
import {
  annotationsOfImages,
  annotationsOfLabel,
  assign,
  assignLabels,
  countAnnotationsOfLabel,
  forEachAnnotation,
  removeAnnotations,
} from "../../core/library/annotations.ts";
import type { Assignment } from "../../core/library/annotations.ts";
import { connectionOf } from "../../core/library/database.ts";
import {
  cleanLabelName,
  createLabels,
  deleteLabel,
  ensureLabels,
  moveLabel,
  renameLabel,
} from "../../core/library/label-changes.ts";
import { labelById, labelTree, listLabels } from "../../core/library/labels.ts";
import type { LabelNode } from "../../core/library/labels.ts";
import { history, recordOperation, undo } from "../../core/library/operations.ts";
import type { Reader, Writer } from "../../core/library/database.ts";
import { addImages, errorOf, temporaryLibrary } from "./support.ts";

const step = { kind: "assign-labels", summary: "Labelled images" };

/** The tree in short: names, with counts where there are any. */
function outline(nodes: readonly LabelNode[]): unknown[] {
  return nodes.map(({ label, imageCount, totalImageCount, children }) => {
    const counts = totalImageCount > 0 ? ` ${imageCount}/${totalImageCount}` : "";
    return children.length > 0 ? [`${label.name}${counts}`, ...outline(children)] : `${label.name}${counts}`;
  });
}

function outlineOf(db: Reader): unknown[] {
  return outline(labelTree(db));
}

function add(db: Writer, ...path: string[]): number {
  return createLabels(db, [path]).result[0]?.id ?? 0;
}

function by(imageIds: readonly number[], labelId: number): Assignment[] {
  return imageIds.map((imageId) => ({ imageId, labelId, provenance: "person", confidence: null }));
}

describe("labels", () => {
  test("are made along their paths, and only where they are new", () => {
    const { db } = temporaryLibrary();
    const { operation, result } = createLabels(db, [
      ["Drinks", "Oat"],
      ["Drinks", "Soy"],
      ["Drinks"],
      ["Snacks", "Oat"],
    ]);
    expect(operation).toMatchObject({ kind: "create-labels", changeCount: 5, state: "done" });
    expect(result.map(({ name }) => name)).toEqual(["Oat", "Soy", "Drinks", "Oat"]);
    expect(outlineOf(db)).toEqual([
      ["Drinks", "Oat", "Soy"],
      ["Snacks", "Oat"],
    ]);
    const again = createLabels(db, [["Drinks", "  Oat "]]);
    expect(again).toEqual({ operation: null, result: [result[0]] });
    expect(listLabels(db)).toHaveLength(5);
    expect(history(db, 9)).toHaveLength(1);
  });

  test("have a name once under a parent, at the top too", () => {
    const { db } = temporaryLibrary();
    add(db, "A");
    const insert = connectionOf(db).prepare("INSERT INTO labels (name, parent_id, position) VALUES ('A', NULL, 9)");
    expect(() => insert.run()).toThrow("UNIQUE");
    const b = add(db, "B");
    expect(errorOf(() => renameLabel(db, b, "A")).code).toBe("label-exists");
    expect(errorOf(() => moveLabel(db, add(db, "B", "A"), null)).code).toBe("label-exists");
  });

  test.each([
    ["  Oat \t Drink\n", "Oat Drink"],
    ["Ka\u0308se", "K\u00e4se"],
    ["a\u0007b", "a b"],
    ["lone \ud800 surrogate", "lone \ufffd surrogate"],
  ])("have tidy names: %j", (given, expected) => {
    expect(cleanLabelName(given)).toBe(expected);
  });

  test.each(["", "  \n ", "x".repeat(201)])("do not have the name %j", (name) => {
    const { db } = temporaryLibrary();
    expect(errorOf(() => createLabels(db, [[name]])).code).toBe("label-invalid");
    expect(errorOf(() => renameLabel(db, add(db, "A"), name)).code).toBe("label-invalid");
  });

  test("of no name at all are refused, and so are those above it", () => {
    const { db } = temporaryLibrary();
    expect(errorOf(() => createLabels(db, [["A"], []])).code).toBe("label-invalid");
    expect(errorOf(() => createLabels(db, [["A", " "]])).code).toBe("label-invalid");
    expect(labelTree(db)).toEqual([]);
  });

  test("can be renamed", () => {
    const { db } = temporaryLibrary();
    const id = add(db, "A", "B");
    expect(renameLabel(db, id, "C")?.summary).toBe("Renamed the label B to C");
    expect(renameLabel(db, id, " C ")).toBeNull();
    expect(outlineOf(db)).toEqual([["A", "C"]]);
    expect(errorOf(() => renameLabel(db, 99, "D")).code).toBe("label-unknown");
  });

  test("can be moved to another parent and place", () => {
    const { db } = temporaryLibrary();
    const [a = 0, b = 0, c = 0] = ["A", "B", "C"].map((name) => add(db, name));
    const inner = add(db, "A", "Inner");
    moveLabel(db, c, null, 0);
    expect(outlineOf(db)).toEqual(["C", ["A", "Inner"], "B"]);
    moveLabel(db, b, a, 0);
    expect(outlineOf(db)).toEqual(["C", ["A", "B", "Inner"]]);
    moveLabel(db, inner, null);
    expect(outlineOf(db)).toEqual(["C", ["A", "B"], "Inner"]);
    expect(moveLabel(db, inner, null)).toBeNull();
  });

  test("cannot be moved below themselves", () => {
    const { db } = temporaryLibrary();
    const deep = add(db, "A", "B", "C");
    const a = labelTree(db)[0]?.label.id ?? 0;
    expect(errorOf(() => moveLabel(db, a, deep)).code).toBe("label-cycle");
    expect(errorOf(() => moveLabel(db, a, a)).code).toBe("label-cycle");
    expect(outlineOf(db)).toEqual([["A", ["B", "C"]]]);
  });

  test("are deleted when nothing hangs on them", () => {
    const { db } = temporaryLibrary();
    const child = add(db, "A", "B");
    const [{ label: { id: parent } = { id: 0 } } = {}] = labelTree(db);
    const [imageId = 0] = addImages(db, 1);
    assignLabels(db, by([imageId], child), step);
    expect(errorOf(() => deleteLabel(db, parent)).code).toBe("label-has-children");
    expect(errorOf(() => deleteLabel(db, child)).code).toBe("label-in-use");
    expect(errorOf(() => deleteLabel(db, child, { moveTo: child })).code).toBe("option-invalid");
    removeAnnotations(db, [imageId], step);
    deleteLabel(db, child);
    deleteLabel(db, parent);
    expect(labelTree(db)).toEqual([]);
  });

  test("are merged by deleting one and moving its images, more than a page of them, and undo brings all back", () => {
    const { db } = temporaryLibrary();
    const [from, to] = [add(db, "From"), add(db, "To")];
    const ids = addImages(db, 2300);
    assignLabels(
      db,
      ids.map((imageId) => ({ imageId, labelId: from, provenance: "neighbours", confidence: 0.75 })),
      step,
    );
    const before = annotationsOfImages(db, ids);
    const operation = deleteLabel(db, from, { moveTo: to });
    expect(operation).toMatchObject({ changeCount: 2301, summary: "Merged the label From into To" });
    expect(countAnnotationsOfLabel(db, to)).toBe(2300);
    expect(annotationsOfLabel(db, to, { limit: 1 })[0]).toMatchObject({
      provenance: "neighbours",
      confidence: 0.75,
      operationId: operation?.id,
    });
    undo(db);
    expect(annotationsOfImages(db, ids)).toEqual(before);
    expect(labelById(db, from)?.name).toBe("From");
  });

  test("count their images, and those of the labels below", () => {
    const { db } = temporaryLibrary();
    const [oat, soy, drinks] = [add(db, "Drinks", "Oat"), add(db, "Drinks", "Soy"), add(db, "Drinks")];
    add(db, "Empty");
    const ids = addImages(db, 6);
    assignLabels(db, [...by(ids.slice(0, 3), oat), ...by(ids.slice(3, 4), soy), ...by(ids.slice(4), drinks)], step);
    expect(outlineOf(db)).toEqual([["Drinks 2/6", "Oat 3/3", "Soy 1/1"], "Empty"]);
  });

  test("that hang in a circle or on nothing are reported as damage", () => {
    const { db } = temporaryLibrary();
    const [a, b] = [add(db, "A"), add(db, "B")];
    const connection = connectionOf(db);
    connection.exec(
      `UPDATE labels SET parent_id = ${b} WHERE id = ${a}; UPDATE labels SET parent_id = ${a} WHERE id = ${b}`,
    );
    expect(errorOf(() => labelTree(db))).toMatchObject({ code: "library-corrupt" });
    expect(errorOf(() => moveLabel(db, add(db, "C"), a)).code).toBe("label-cycle");
    connection.pragma("foreign_keys = OFF");
    connection.exec(`UPDATE labels SET parent_id = 99 WHERE id = ${a}`);
    expect(errorOf(() => labelTree(db)).message).toContain("parent 99 is gone");
  });
});

describe("annotations", () => {
  test("replace each other, and what is so already is skipped", () => {
    const { db } = temporaryLibrary();
    const [a, b] = [add(db, "A"), add(db, "B")];
    const [first = 0, second = 0] = addImages(db, 2);
    assignLabels(db, by([first, second], a), step);
    const changed: Assignment = { imageId: second, labelId: b, provenance: "cluster", confidence: 0.5 };
    const operation = assignLabels(db, [...by([first], a), changed], { kind: "accept", summary: "Accepted" });
    expect(operation).toMatchObject({ kind: "accept", summary: "Accepted", changeCount: 1 });
    expect(assignLabels(db, [changed], step)).toBeNull();
    const { createdAt } = operation ?? { createdAt: 0 };
    expect(annotationsOfImages(db, [first, second]).get(second)).toEqual({
      ...changed,
      operationId: operation?.id,
      createdAt,
    });
    // The same label, said by someone else, is news.
    expect(assignLabels(db, by([second], b), step)).toMatchObject({ changeCount: 1 });
  });

  test("given twice for one image leave the last", () => {
    const { db } = temporaryLibrary();
    const [a, b] = [add(db, "A"), add(db, "B")];
    const [imageId = 0] = addImages(db, 1);
    assignLabels(db, [...by([imageId], a), ...by([imageId], b)], step);
    expect(annotationsOfImages(db, [imageId]).get(imageId)?.labelId).toBe(b);
    undo(db);
    expect(annotationsOfImages(db, [imageId]).size).toBe(0);
  });

  test("are all refused where an image or a label is unknown", () => {
    const { db } = temporaryLibrary();
    const a = add(db, "A");
    const [imageId = 0] = addImages(db, 1);
    expect(errorOf(() => assignLabels(db, by([imageId, 999], a), step)).code).toBe("image-unknown");
    expect(errorOf(() => assignLabels(db, [...by([imageId], a), ...by([imageId], 999)], step)).code).toBe(
      "label-unknown",
    );
    expect(annotationsOfImages(db, [imageId]).size).toBe(0);
    expect(history(db, 9)).toHaveLength(1);
  });

  test("come with new labels in one operation", () => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 3);
    const { operation } = recordOperation(db, { kind: "import-labels", summary: "Imported labels.csv" }, (change) => {
      const [label] = ensureLabels(change, [["Drinks", "Oat"]]);
      assign(change, by(ids, label?.id ?? 0));
    });
    expect(operation?.changeCount).toBe(5);
    expect(outlineOf(db)).toEqual([["Drinks 0/3", "Oat 3/3"]]);
    undo(db);
    expect(outlineOf(db)).toEqual([]);
  });

  test("are listed for a label in pages, and all in image order", () => {
    const { db } = temporaryLibrary();
    const [a, b] = [add(db, "A"), add(db, "B")];
    const ids = addImages(db, 5);
    assignLabels(db, [...by(ids.slice(1).toReversed(), a), ...by(ids.slice(0, 1), b)], step);
    const first = annotationsOfLabel(db, a, { limit: 3 });
    const second = annotationsOfLabel(db, a, { limit: 3, after: first.at(-1)?.imageId ?? 0 });
    expect([...first, ...second].map(({ imageId }) => imageId)).toEqual(ids.slice(1));
    const all: number[] = [];
    forEachAnnotation(db, ({ imageId }) => all.push(imageId));
    expect(all).toEqual(ids);
  });

  test("are taken off in one operation, and images without are skipped", () => {
    const { db } = temporaryLibrary();
    const ids = addImages(db, 4);
    assignLabels(db, by(ids.slice(0, 2), add(db, "A")), step);
    expect(removeAnnotations(db, [...ids, 999], step)?.changeCount).toBe(2);
    expect(removeAnnotations(db, ids, step)).toBeNull();
  });
});
