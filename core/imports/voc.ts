import { encodeRuns, type RunLengths } from "../masks/rle.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import {
  filesBelow,
  openDataset,
  picturesByStem,
  readSmallFile,
  readTextFile,
  stemOfPath,
  type ImportContext,
  type ImportedRow,
} from "./dataset.ts";
import { decodePng, type PngValues } from "./png.ts";
import { oneLabel } from "./union.ts";
import { childrenOf, readXml, textOf } from "./xml.ts";

/** Bytes of a mask file: more than any picture packs to. */
const maxMaskBytes = 2 ** 28;

/** Bytes of an annotation: room for a hundred thousand elements. */
const maxXmlBytes = 2 ** 24;

/** Index for pixels on edges, which VOC leaves out. */
const voidIndex = 255;

/**
 * Reads a Pascal VOC folder: Annotations/*.xml, JPEGImages, and SegmentationClass where it is there. All objects on a
 * picture must have one name, its label; what the segmentation marks as any class is its mask. Throws `import-format`.
 */
export async function* readVoc(path: string, { sizeOf }: ImportContext): AsyncGenerator<ImportedRow> {
  const dataset = await openDataset(path);
  const { root } = dataset;
  const files = await filesBelow(root, "Annotations", [".xml"]);
  if (files.length === 0) throw new CoreError("import-format", `${path} has no Annotations/*.xml.`);
  const pictures = await picturesByStem(root, "JPEGImages");
  const masks = new Set(await filesBelow(root, "SegmentationClass", [".png"]));
  for (const file of files) {
    const stem = stemOfPath(file.slice("Annotations/".length));
    try {
      const annotation = readXml(await readTextFile(`${root}/${file}`, maxXmlBytes));
      const labels = childrenOf(annotation, "object").map((object) => [textOf(object, "name") ?? ""]);
      if (labels.length === 0) continue;
      const one = oneLabel(labels);
      if ("problem" in one) throw new CoreError("labels-several", one.problem);
      const named = textOf(annotation, "filename") ?? stem;
      const paths = dataset.pathsOf(pictures.get(stem) ?? `JPEGImages/${named}`);
      const size = sizeOf(paths);
      const maskFile = `SegmentationClass/${stem}.png`;
      const mask = size === null || !masks.has(maskFile) ? null : await readMask(`${root}/${maskFile}`, size);
      yield { kind: "image", line: 0, paths, label: one.label, mask };
    } catch (error) {
      yield { kind: "problem", line: 0, path: file, message: errorRecord(error).message };
    }
  }
}

async function readMask(file: string, size: { width: number; height: number }): Promise<RunLengths> {
  const picture = decodePng(await readSmallFile(file, maxMaskBytes), size);
  return runsWhere(picture, (value) => value !== 0 && value !== voidIndex);
}

/** The mask of the pixels whose value is foreground. */
export function runsWhere({ width, height, data }: PngValues, isForeground: (value: number) => boolean): RunLengths {
  return encodeRuns({ width, height, data: Uint8Array.from(data, (value) => (isForeground(value) ? 1 : 0)) });
}
