import { describe, expect, test } from "vitest";
import { connectionOf } from "../../core/library/database.ts";
import { dismissFindings, listFindings, replaceFindings, subjectOf } from "../../core/library/findings.ts";
import { redo, undo } from "../../core/library/operations.ts";
import type { Finding, FoundImage } from "../../core/rpc/records.ts";
import { addModel, errorOf, temporaryLibrary } from "./support.ts";

const image = (imageId: number, labelId: number | null = null): FoundImage => ({
  imageId,
  labelId,
  similarity: 0.5,
  hashBits: null,
});

function finding(changes: Partial<Finding> = {}): Finding {
  return {
    kind: "outliers",
    modelId: null,
    images: [image(1)],
    neighbours: [],
    suggestion: null,
    score: 1,
    likely: true,
    ...changes,
  };
}

const idsOf = (findings: readonly Finding[]): number[][] =>
  findings.map(({ images }) => images.map(({ imageId }) => imageId));

describe("findings", () => {
  test("come back as they were stored, in their order, and a new check of the kind replaces them", () => {
    const { db } = temporaryLibrary();
    const model = addModel(db);
    const wrong = finding({
      kind: "wrong-labels",
      modelId: model.id,
      images: [{ imageId: 9, labelId: 2, similarity: null, hashBits: 7 }],
      neighbours: [image(3, 4), image(5)],
      suggestion: { labelId: 4, share: 0.75, ownShare: 0, confidence: 0.9 },
      score: -0.25,
      likely: false,
    });
    replaceFindings(db, "wrong-labels", [wrong, finding({ kind: "wrong-labels", images: [image(1, 1)] })]);
    replaceFindings(db, "outliers", [finding(), finding({ images: [image(2)] })]);
    expect(listFindings(db, "wrong-labels")[0]).toEqual(wrong);
    expect(idsOf(listFindings(db, "outliers"))).toEqual([[1], [2]]);
    replaceFindings(db, "outliers", [finding({ images: [image(7)] })]);
    expect(idsOf(listFindings(db, "outliers"))).toEqual([[7]]);
    expect(listFindings(db, "wrong-labels")).toHaveLength(2);
    expect(listFindings(db, "twins")).toEqual([]);
  });

  test("that were dismissed stay away after another check, until the dismissal is undone", () => {
    const { db } = temporaryLibrary();
    const pair = finding({ kind: "duplicates", images: [image(2), image(1)] });
    const other = finding({ kind: "duplicates", images: [image(3), image(4)] });
    replaceFindings(db, "duplicates", [pair, other]);
    expect(dismissFindings(db, [pair], "Dismissed")?.changeCount).toBe(1);
    expect(idsOf(listFindings(db, "duplicates"))).toEqual([[3, 4]]);
    // The same images in another order, with other measures and labels, are the same group.
    const again = finding({ kind: "duplicates", images: [image(1, 8), image(2)], score: 9 });
    replaceFindings(db, "duplicates", [again, other]);
    expect(idsOf(listFindings(db, "duplicates"))).toEqual([[3, 4]]);
    expect(dismissFindings(db, [again], "Dismissed")).toBeNull();
    undo(db);
    expect(idsOf(listFindings(db, "duplicates"))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    redo(db);
    expect(idsOf(listFindings(db, "duplicates"))).toEqual([[3, 4]]);
  });

  test("about a label come back when the image has another label, and of other kinds are not touched", () => {
    const { db } = temporaryLibrary();
    const wrong = (labelId: number): Finding => finding({ kind: "wrong-labels", images: [image(1, labelId)] });
    replaceFindings(db, "wrong-labels", [wrong(5)]);
    replaceFindings(db, "outliers", [finding()]);
    dismissFindings(db, [wrong(5)], "Dismissed");
    expect(listFindings(db, "wrong-labels")).toEqual([]);
    expect(listFindings(db, "outliers")).toHaveLength(1);
    replaceFindings(db, "wrong-labels", [wrong(6)]);
    expect(listFindings(db, "wrong-labels")).toHaveLength(1);
    expect(subjectOf(wrong(6))).not.toBe(subjectOf(wrong(5)));
  });

  test.each([
    ["images", '{"a":1}'],
    ["images", '[[1,null,"near",null]]'],
    ["neighbours", "[[1.5,null,null,null]]"],
    ["neighbours", "[7]"],
    ["suggestion", '{"labelId":1,"share":2,"ownShare":0,"confidence":0}'],
    ["suggestion", "[]"],
  ])("with damaged %s are refused: %s", (column, text) => {
    const { db } = temporaryLibrary();
    replaceFindings(db, "outliers", [finding()]);
    connectionOf(db).prepare(`UPDATE check_findings SET ${column} = ?`).run(text);
    expect(errorOf(() => listFindings(db, "outliers")).code).toBe("library-corrupt");
  });
});
