import { CoreError, errorRecord } from "../util/errors.ts";
import {
  fieldOf,
  filesBelow,
  isTextList,
  openDataset,
  picturesByStem,
  readJsonFile,
  readSmallFile,
  stemOfPath,
  type ImportContext,
  type ImportedRow,
} from "./dataset.ts";
import { decodePng, type PngValues } from "./png.ts";
import { oneLabel } from "./union.ts";
import { runsWhere } from "./voc.ts";

const maxMaskBytes = 2 ** 28;

/**
 * Reads a folder with masks as PNG: masks/NAME.png for images/NAME.jpg (or any ending), or the PNG files of a folder
 * without these two, for images of the library of the same name. With a classes.json the numbers of pixels are labels;
 * without, masks are black and white and say nothing of labels. Throws `import-format`.
 */
export async function* readMaskPictures(path: string, { sizeOf }: ImportContext): AsyncGenerator<ImportedRow> {
  const dataset = await openDataset(path);
  const { root } = dataset;
  const classes = await readClasses(`${root}/classes.json`);
  const pictures = await picturesByStem(root, "images");
  const inFolder = await filesBelow(root, "masks", [".png"]);
  const files = inFolder.length > 0 ? inFolder : pictures.size === 0 ? await filesBelow(root, "", [".png"]) : [];
  if (files.length === 0) throw new CoreError("import-format", `${path} has no masks/*.png.`);
  for (const file of files) {
    const stem = stemOfPath(file.replace(/^masks\//, ""));
    const picture = pictures.get(stem);
    const candidates = ["jpg", "jpeg", "png", "webp", "JPG", "JPEG", "PNG"].map((ending) => `${stem}.${ending}`);
    const paths = picture === undefined ? candidates : dataset.pathsOf(picture);
    const size = sizeOf(paths);
    if (size === null) {
      yield { kind: "problem", line: 0, path: file, message: "No image of the library belongs to this mask." };
      continue;
    }
    try {
      const values = decodePng(await readSmallFile(`${root}/${file}`, maxMaskBytes), size);
      if (classes === null) {
        yield { kind: "image", line: 0, paths, label: null, mask: runsWhere(values, foregroundOf(values)) };
        continue;
      }
      if (!values.exact)
        throw new CoreError("png-invalid", "A mask with label numbers must be grey or have a palette.");
      const found = [...new Set(values.data)].flatMap((value) => classes.get(value) ?? []);
      if (found.length === 0) continue;
      const one = oneLabel(found.map(({ label }) => label));
      if ("problem" in one) throw new CoreError("labels-several", one.problem);
      yield { kind: "image", line: 0, paths, label: one.label, mask: runsWhere(values, (value) => classes.has(value)) };
    } catch (error) {
      yield { kind: "problem", line: 0, path: file, message: errorRecord(error).message };
    }
  }
}

/** Black and white masks come as 0 and 1, as 0 and 255, and with soft edges; 16 bits are always shares. */
function foregroundOf({ data, depth, exact }: PngValues): (value: number) => boolean {
  const largest = data.reduce((most, value) => Math.max(most, value), 0);
  const full = depth === 16 ? 65535 : exact && largest < 128 ? 1 : 255;
  return (value) => value >= full / 2;
}

/** Labels by pixel value; null where there is no such file. Throws `import-format` for one that is none. */
async function readClasses(file: string): Promise<ReadonlyMap<number, { label: readonly string[] }> | null> {
  let value: unknown;
  try {
    value = await readJsonFile(file);
  } catch (error) {
    const { cause } = error as CoreError;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return null;
    throw error;
  }
  const list = fieldOf(value, "classes");
  if (!Array.isArray(list)) throw new CoreError("import-format", `${file} has no list of classes.`);
  return new Map(
    (list as unknown[]).flatMap((entry): [number, { label: readonly string[] }][] => {
      const [index, name, path] = ["index", "name", "label_path"].map((field) => fieldOf(entry, field));
      const label = isTextList(path) && path.length > 0 ? path : typeof name === "string" ? [name] : null;
      return typeof index === "number" && index > 0 && label !== null ? [[index, { label }]] : [];
    }),
  );
}
