import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignLabels } from "../../core/library/annotations.ts";
import { connectionOf } from "../../core/library/database.ts";
import { createLabels, deleteLabel } from "../../core/library/label-changes.ts";
import { undo } from "../../core/library/operations.ts";
import {
  countSuggestions,
  deleteSuggestions,
  listSuggestions,
  replaceSuggestions,
  suggestionOfImage,
} from "../../core/library/suggestions.ts";
import type { Library } from "../../core/library/open.ts";
import type { Suggestion } from "../../core/rpc/records.ts";
import { addImages, addModel, errorOf, temporaryLibrary } from "./support.ts";

type NewSuggestion = Omit<Suggestion, "modelId">;

function suggestion(imageId: number, labelId: number, confidence: number): NewSuggestion {
  return {
    imageId,
    labelId,
    share: 0.75,
    confidence,
    confidenceLow: confidence / 2,
    confidenceHigh: (1 + confidence) / 2,
    abstained: confidence < 0.5,
    voters: [{ imageId: imageId + 1, labelId, similarity: 0.1 + 0.2 }],
  };
}

interface Prepared extends Library {
  readonly modelId: number;
  readonly ids: readonly number[];
  readonly a: number;
  readonly b: number;
}

function prepared(): Prepared {
  const library = temporaryLibrary();
  const { db } = library;
  const [a = 0, b = 0] = createLabels(db, [["A"], ["B"]]).result.map(({ id }) => id);
  return { ...library, modelId: addModel(db).id, ids: addImages(db, 12), a, b };
}

describe("suggestions", () => {
  test("come back whole, most confident first, and the older image first among equals", () => {
    const { db, modelId, ids, a, b } = prepared();
    const [first = 0, second = 0, third = 0, fourth = 0] = ids;
    const given = [
      suggestion(fourth, b, 0.9),
      suggestion(third, a, 0.25),
      suggestion(first, a, 0.9),
      suggestion(second, a, 1),
    ];
    replaceSuggestions(db, modelId, given);
    const expected = [given[3], given[2], given[0], given[1]].map((one) => ({ ...one, modelId }));
    expect(listSuggestions(db, modelId)).toEqual(expected);
    expect(listSuggestions(db, modelId, { labelId: a }).map(({ imageId }) => imageId)).toEqual([second, first, third]);
    expect(suggestionOfImage(db, modelId, third)).toEqual({ ...given[1], modelId });
    expect(countSuggestions(db, modelId)).toEqual([
      { labelId: a, offered: 2, abstained: 1 },
      { labelId: b, offered: 1, abstained: 0 },
    ]);
  });

  test("in pages of any size are all of them in the same order", () => {
    const { db, modelId, ids, a, b } = prepared();
    const confidences = fc.array(fc.constantFrom(0, 0.25, 0.5, 1), { minLength: ids.length, maxLength: ids.length });
    fc.assert(
      fc.property(confidences, fc.integer({ min: 1, max: 5 }), fc.boolean(), (confidence, limit, oneLabel) => {
        replaceSuggestions(
          db,
          modelId,
          ids.map((id, i) => suggestion(id, i % 3 === 0 ? b : a, confidence[i] ?? 0)),
        );
        const filter = oneLabel ? { labelId: a } : {};
        const paged: Suggestion[] = [];
        // No more pages than there are rows, so that a page that comes again fails rather than going on for ever.
        for (let pages = 0; pages <= ids.length; pages++) {
          const after = paged.at(-1);
          const page = listSuggestions(db, modelId, { ...filter, limit, ...(after === undefined ? {} : { after }) });
          paged.push(...page);
          if (page.length < limit) break;
        }
        const expected = ids
          .map((id, i) => ({ id, confidence: confidence[i] ?? 0, i }))
          .filter(({ i }) => !oneLabel || i % 3 !== 0)
          .sort((x, y) => y.confidence - x.confidence || x.id - y.id);
        expect(paged.map(({ imageId }) => imageId)).toEqual(expected.map(({ id }) => id));
      }),
      { numRuns: 40 },
    );
  });

  test("of a new round replace the model's old ones, all or none", () => {
    const { db, modelId, ids, a } = prepared();
    const other = addModel(db, "other").id;
    const [first = 0, second = 0] = ids;
    replaceSuggestions(db, modelId, [suggestion(first, a, 0.5)]);
    replaceSuggestions(db, other, [suggestion(first, a, 0.5)]);
    replaceSuggestions(db, modelId, [suggestion(second, a, 0.5)]);
    expect(listSuggestions(db, modelId).map(({ imageId }) => imageId)).toEqual([second]);
    const twice = [suggestion(first, a, 0.5), suggestion(first, a, 0.6)];
    expect(errorOf(() => replaceSuggestions(db, modelId, twice)).code).toBe("row-invalid");
    expect(listSuggestions(db, modelId).map(({ imageId }) => imageId)).toEqual([second]);
    expect(listSuggestions(db, other)).toHaveLength(1);
  });

  test("are not listed for images with an annotation, and are back after undo", () => {
    const { db, modelId, ids, a } = prepared();
    const [imageId = 0] = ids;
    replaceSuggestions(db, modelId, [suggestion(imageId, a, 0.5)]);
    assignLabels(db, [{ imageId, labelId: a, provenance: "neighbours", confidence: 0.5 }], {
      kind: "accept",
      summary: "",
    });
    expect(listSuggestions(db, modelId)).toEqual([]);
    expect(listSuggestions(db, modelId, { labelId: a })).toEqual([]);
    expect(countSuggestions(db, modelId)).toEqual([]);
    undo(db);
    expect(listSuggestions(db, modelId)).toHaveLength(1);
  });

  test("go with their label, or when asked to", () => {
    const { db, modelId, ids, a, b } = prepared();
    const [first = 0, second = 0, third = 0] = ids;
    replaceSuggestions(db, modelId, [suggestion(first, a, 0.5), suggestion(second, b, 0.5), suggestion(third, b, 0.5)]);
    deleteLabel(db, a);
    deleteSuggestions(db, [third, 999]);
    expect(listSuggestions(db, modelId).map(({ imageId }) => imageId)).toEqual([second]);
  });

  test.each(["{}", "[[1,2]]", "[[1,2,null]]", '[["1",2,0.5]]', "[1]", "[[1.5,2,0.5]]"])(
    "with damaged voters name table and image: %s",
    (voters) => {
      const { db, modelId, ids, a } = prepared();
      const [imageId = 0] = ids;
      replaceSuggestions(db, modelId, [suggestion(imageId, a, 0.5)]);
      connectionOf(db).prepare("UPDATE suggestions SET voters = ?").run(voters);
      const error = errorOf(() => listSuggestions(db, modelId));
      expect(error.code).toBe("library-corrupt");
      expect(error.message).toContain("table suggestions");
    },
  );
});
