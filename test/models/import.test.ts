import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createModel, findModel, importModel, modelAtSize } from "../../core/jobs/models.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { listModels } from "../../core/library/models.ts";
import { embedded, somePictures } from "../helpers/embeddings.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import { refusalOf, refusalOfAsync } from "../helpers/refusal.ts";
import { addTinyModel, temporaryWorkplace } from "../helpers/workplace.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { temporaryFolder } from "../library/support.ts";

const engine = sharedEngine();

const heads = referenceHeads();

const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

const files = ({ library }: Workplace): string[] => readdirSync(join(library.folder, "models"));

describe("the three official formats", () => {
  test.each([
    ["backbone.pth", "dino-pth", { heads }],
    ["full_checkpoint.pth", "dino-checkpoint", { heads }],
    // Its config.json tells the heads.
    ["huggingface.safetensors", "huggingface", {}],
  ])("%s becomes a model of the library, with hash and provenance", async (file, format, options) => {
    const workplace = temporaryWorkplace(engine);
    const path = referenceFile(file);
    const model = await importModel(workplace, path, options);
    const name = file.replace(/\.\w+$/, "");
    expect(model).toMatchObject({ name, kind: "vit", file: `models/${name}.safetensors`, trained: true });
    expect(model.provenance).toMatchObject({ source: path, format, sourceHash: sha256(path) });
    expect(model.architecture).toMatchObject({ heads, width: model.width });
    expect(model.hash).toBe(sha256(join(workplace.library.folder, model.file)));
    expect(listModels(workplace.library.db)).toEqual([model]);
    expect(files(workplace)).toEqual([`${name}.safetensors`]);
  });

  test("hold the same backbone, so pictures get the same embeddings", async () => {
    const workplace = temporaryWorkplace(engine);
    const pictures = await somePictures();
    const official = await importModel(workplace, referenceFile("backbone.pth"), { heads });
    const huggingFace = await importModel(workplace, referenceFile("huggingface.safetensors"), {});
    expect(await embedded(workplace, huggingFace, pictures)).toEqual(await embedded(workplace, official, pictures));
  });

  test("the student of a full checkpoint is another network than its teacher", async () => {
    const workplace = temporaryWorkplace(engine);
    const pictures = await somePictures(1);
    const checkpoint = referenceFile("full_checkpoint.pth");
    const teacher = await importModel(workplace, checkpoint, { heads });
    const student = await importModel(workplace, checkpoint, { heads, part: "student", name: "student" });
    expect(teacher.provenance.notes).toMatchObject({ part: "teacher" });
    expect(student.provenance.notes).toMatchObject({ part: "student" });
    expect(await embedded(workplace, student, pictures)).not.toEqual(await embedded(workplace, teacher, pictures));
  });
});

describe("names of models", () => {
  test("come from the file, from the folder where every file is called alike, or from the user", async () => {
    const workplace = temporaryWorkplace(engine);
    const folder = join(temporaryFolder(), "dino vits16 (mine)");
    mkdirSync(folder);
    const weights = join(folder, "model.safetensors");
    copyFileSync(referenceFile("huggingface.safetensors"), weights);
    copyFileSync(referenceFile("huggingface.config.json"), join(folder, "config.json"));
    const names: string[] = [];
    for (const name of [undefined, undefined, "Étagère/../1"]) {
      names.push((await importModel(workplace, weights, { name })).name);
    }
    expect(names).toEqual(["dino-vits16-mine", "dino-vits16-mine-2", "Étagère-..-1"]);
    expect(files(workplace).toSorted()).toEqual(names.map((name) => `${name}.safetensors`).toSorted());
  });

  test("are taken whatever their case: many disks take both for one file", async () => {
    const workplace = temporaryWorkplace(engine);
    await addTinyModel(workplace.library, "Shelf");
    const create = (name: string): Promise<string> =>
      refusalOfAsync(() => createModel(workplace, name, { arch: "vit-tiny", patch: 16, size: 32, seed: 1 }));
    expect(await create("shelf")).toBe("model-exists: The library has a model named shelf already.");
    expect(await create("../Shelf")).toBe("model-exists: The library has a model named Shelf already.");
  });

  test.each(["", "///", "..", "con", "LPT1.old", "\u0000"])("%j cannot be one", async (name) => {
    const workplace = temporaryWorkplace(engine);
    const refusal = await refusalOfAsync(() => importModel(workplace, referenceFile("backbone.pth"), { name, heads }));
    expect(refusal).toMatch(/^model-name: /);
  });

  test("are cut to what a file name may be, between characters", async () => {
    const workplace = temporaryWorkplace(engine);
    const { name } = await importModel(workplace, referenceFile("backbone.pth"), { name: "棚".repeat(90), heads });
    expect(name).toBe("棚".repeat(66));
    expect(files(workplace)).toEqual([`${name}.safetensors`]);
  });
});

describe("what is no model", () => {
  test.each([
    ["a text", "notes.pth", "no weights in here", /^checkpoint-unknown: /],
    ["an empty file", "empty.safetensors", "", /^checkpoint-unknown: /],
    ["a damaged ONNX file", "model.onnx", "no protocol buffer", /^onnx-invalid: /],
  ])("%s is refused, and nothing is left in the library", async (_, name, text, refusal) => {
    const workplace = temporaryWorkplace(engine);
    const file = join(temporaryFolder(), name);
    writeFileSync(file, text);
    expect(await refusalOfAsync(() => importModel(workplace, file, {}))).toMatch(refusal);
    expect(listModels(workplace.library.db)).toEqual([]);
    expect(files(workplace)).toEqual([]);
  });

  test("a missing file and a folder are told apart from weights", async () => {
    const workplace = temporaryWorkplace(engine);
    const folder = temporaryFolder();
    expect(await refusalOfAsync(() => importModel(workplace, join(folder, "none.pth"), {}))).toMatch(
      /^file-unreadable: /,
    );
    expect(await refusalOfAsync(() => importModel(workplace, folder, {}))).toMatch(
      /^file-unreadable: Expected a file at .*, found a folder/,
    );
  });
});

describe("models with random weights", () => {
  test("are marked as never trained; the same seed gives the same weights", async () => {
    const workplace = temporaryWorkplace(engine);
    const options = { arch: "vit-tiny", patch: 16, size: 32, seed: 7 } as const;
    const one = await createModel(workplace, "one", options);
    const two = await createModel(workplace, "two", options);
    const other = await createModel(workplace, "other", { ...options, seed: 8 });
    expect(one).toMatchObject({
      trained: false,
      imageSize: 32,
      width: 192,
      provenance: { format: "random", notes: { seed: 7 } },
    });
    const pictures = await somePictures(1);
    expect(await embedded(workplace, two, pictures)).toEqual(await embedded(workplace, one, pictures));
    expect(await embedded(workplace, other, pictures)).not.toEqual(await embedded(workplace, one, pictures));
  });

  test("need a size that their patches divide", async () => {
    const workplace = temporaryWorkplace(engine);
    const create = createModel(workplace, "odd", { arch: "vit-tiny", patch: 16, size: 100, seed: 1 });
    expect(await refusalOfAsync(() => create)).toMatch(
      /^option-invalid: .* 100 is not a multiple of the patch size 16/,
    );
    expect(listModels(workplace.library.db)).toEqual([]);
  });
});

describe("a model at another size", () => {
  test("is one of its own, made once, and named after the first", async () => {
    const workplace = temporaryWorkplace(engine);
    const { library } = workplace;
    const model = await addTinyModel(library);
    const larger = modelAtSize(workplace, model, 48);
    expect(larger).toMatchObject({ name: "tiny@48", imageSize: 48, file: model.file, hash: model.hash });
    expect(modelAtSize(workplace, model, 48)).toEqual(larger);
    expect(modelAtSize(workplace, larger, 48)).toEqual(larger);
    expect(modelAtSize(workplace, larger, 32)).toEqual(model);
    expect(modelAtSize(workplace, larger, 64).name).toBe("tiny@64");
    expect(listModels(library.db).map(({ name }) => name)).toEqual(["tiny", "tiny@48", "tiny@64"]);
    const [seen] = await embedded(workplace, larger, await somePictures(1));
    expect(seen?.attention).toMatchObject({ rows: 3, columns: 3 });
  });

  test.each([40, 0, 4096, 33.5])("cannot be one of %d px with patches of 16", async (size) => {
    const workplace = temporaryWorkplace(engine);
    const model = await addTinyModel(workplace.library);
    expect(refusalOf(() => modelAtSize(workplace, model, size))).toMatch(
      /^option-invalid: The size must be a multiple of 16 from 16 to 2048 px/,
    );
    expect(listModels(workplace.library.db)).toEqual([model]);
  });
});

test("without a name the newest trained model is meant, else the newest; other names are told", async () => {
  const workplace = temporaryWorkplace(engine);
  const { db } = workplace.library;
  expect(refusalOf(() => findModel(db, undefined))).toMatch(/^model-missing: /);
  const random = await addTinyModel(workplace.library, "random");
  expect(findModel(db, undefined)).toEqual(random);
  const trained = await importModel(workplace, referenceFile("backbone.pth"), { heads });
  await addTinyModel(workplace.library, "later");
  expect(findModel(db, undefined)).toEqual(trained);
  expect(findModel(db, "random")).toEqual(random);
  expect(refusalOf(() => findModel(db, "Random"))).toBe(
    "model-unknown: There is no model named Random; the library has random, backbone, later.",
  );
});
