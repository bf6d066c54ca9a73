import { describe, expect, test } from "vitest";
import { connectionOf } from "../../core/library/database.ts";
import {
  deleteModel,
  insertModel,
  listModels,
  modelById,
  modelByName,
  renameModel,
} from "../../core/library/models.ts";
import { ensureSource, listSources, moveSource, sourceById } from "../../core/library/sources.ts";
import { addModel, errorOf, newModel, temporaryLibrary } from "./support.ts";

describe("models", () => {
  test("come back as they were given", () => {
    const { db } = temporaryLibrary();
    const vit = insertModel(db, newModel("ViT-S/16"));
    const foreign = insertModel(db, { ...newModel("foreign"), kind: "onnx", architecture: null, trained: false });
    expect(vit).toEqual({ ...newModel("ViT-S/16"), id: vit.id });
    expect(listModels(db)).toEqual([vit, foreign]);
    expect(modelById(db, foreign.id)).toEqual(foreign);
    expect(modelByName(db, "ViT-S/16")).toEqual(vit);
    expect([modelById(db, 99), modelByName(db, "vit")]).toEqual([null, null]);
  });

  test("have a name of their own", () => {
    const { db } = temporaryLibrary();
    const [a, b] = [addModel(db, "a"), addModel(db, "b")];
    expect(errorOf(() => addModel(db, "a")).code).toBe("model-exists");
    expect(errorOf(() => renameModel(db, b.id, "a")).code).toBe("model-exists");
    renameModel(db, a.id, "a");
    renameModel(db, a.id, "c");
    renameModel(db, b.id, "a");
    expect(listModels(db).map(({ name }) => name)).toEqual(["c", "a"]);
    expect(errorOf(() => renameModel(db, 99, "d")).code).toBe("model-unknown");
    expect(errorOf(() => deleteModel(db, 99)).code).toBe("model-unknown");
  });

  test("of an absurd width are refused", () => {
    const { db } = temporaryLibrary();
    for (const width of [0, -1, 1.5, NaN, 65_537]) {
      expect(errorOf(() => insertModel(db, newModel("a", width))).code).toBe("option-invalid");
    }
  });

  test.each([
    "architecture = '[]'",
    `architecture = '{"width":"4"}'`,
    "provenance = '{}'",
    `provenance = '{"source":"a","format":"b","sourceHash":"short","notes":{}}'`,
    `provenance = '{"source":"a","format":"b","sourceHash":null,"notes":{"a":[]}}'`,
    "file = '../../etc/passwd'",
    "hash = replace(hash, '0', 'X')",
  ])("with damaged cells name the table and the row: %s", (change) => {
    const { db } = temporaryLibrary();
    const { id } = addModel(db);
    connectionOf(db).exec(`UPDATE models SET ${change}`);
    const error = errorOf(() => listModels(db));
    expect(error.code).toBe("library-corrupt");
    expect(error.message).toContain(`table models is damaged: in row ${id}`);
  });
});

describe("sources", () => {
  test("are added once", () => {
    const { db } = temporaryLibrary();
    const source = ensureSource(db, "/pictures", 5);
    expect(ensureSource(db, "/pictures", 6)).toEqual(source);
    expect(source).toEqual({ id: source.id, folder: "/pictures", createdAt: 5 });
    expect(sourceById(db, source.id)).toEqual(source);
    expect(sourceById(db, 99)).toBeNull();
  });

  test("follow their folder, but not onto one another", () => {
    const { db } = temporaryLibrary();
    const [a, b] = [ensureSource(db, "/a", 1), ensureSource(db, "/b", 1)];
    moveSource(db, a.id, "/a");
    moveSource(db, a.id, "/moved");
    expect(errorOf(() => moveSource(db, b.id, "/moved")).code).toBe("source-exists");
    expect(errorOf(() => moveSource(db, 99, "/c")).code).toBe("source-unknown");
    expect(listSources(db).map(({ folder }) => folder)).toEqual(["/moved", "/b"]);
  });
});
