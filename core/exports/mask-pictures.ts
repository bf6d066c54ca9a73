import { resizeGrid } from "../masks/resample.ts";
import { decodeRuns } from "../masks/rle.ts";
import type { ExportFormat } from "./format.ts";
import type { ExportFolder } from "./folder.ts";
import { encodePng } from "./png.ts";
import { stemOf, type ExportImage, type ExportPlan } from "./records.ts";
import { paintClasses } from "./shapes.ts";

/** Foreground of all objects of a picture: 255, background 0. */
function binary({ width, height, objects }: ExportImage): Uint8Array {
  const data = new Uint8Array(width * height);
  for (const { runs } of objects) decodeRuns(runs).data.forEach((value, i) => value === 1 && (data[i] = 255));
  return encodePng({ width, height, data, depth: 8 });
}

/** Class indexes from 1; 16 bits where 8 do not do for all labels. Grey, since readers take the colours of a palette. */
function index({ classes }: ExportPlan, { width, height, objects }: ExportImage): Uint8Array {
  const painted = paintClasses(objects, width, height);
  if (classes.length > 255) return encodePng({ width, height, data: painted, depth: 16 });
  return encodePng({ width, height, data: Uint8Array.from(painted), depth: 8 });
}

/** How sure each pixel is foreground, 65535 for 1: patches between their centres, or the mask where nobody knows more. */
function soft({ width, height, objects }: ExportImage): Uint8Array {
  const data = new Uint16Array(width * height);
  for (const { runs, score } of objects) {
    const values =
      score === null
        ? decodeRuns(runs).data
        : resizeGrid({ ...score, values: Float32Array.from(score.data, (byte) => byte / 255) }, width, height);
    values.forEach(
      (value, i) => (data[i] = Math.max(data[i] ?? 0, Math.round(65535 * Math.min(1, Math.max(0, value))))),
    );
  }
  return encodePng({ width, height, data, depth: 16 });
}

async function writeMasks(
  images: AsyncIterable<ExportImage>,
  folder: ExportFolder,
  pictureOf: (image: ExportImage) => Uint8Array,
): Promise<void> {
  for await (const image of images) {
    const part = image.split === null ? "" : `/${image.split}`;
    if (!(await folder.picture(image, `images${part}/${image.name}`))) continue;
    await folder.write(`masks${part}/${stemOf(image.name)}.png`, pictureOf(image));
  }
}

export const masksBinary: ExportFormat = {
  summary: "images and masks as PNG: 255 for foreground, 0 for background",
  version: 1,
  needs: { label: false, mask: true, embedding: false },
  write: (_plan, images, folder) => writeMasks(images, folder, binary),
};

export const masksIndex: ExportFormat = {
  summary: "images and masks as PNG with a number for each label, and classes.json",
  version: 1,
  needs: { label: true, mask: true, embedding: false },
  write: async (plan, images, folder) => {
    await writeMasks(images, folder, (image) => index(plan, image));
    const classes = plan.classes.map(({ path, name }, i) => ({ index: i + 1, name, label_path: path }));
    await folder.write("classes.json", `${JSON.stringify({ background: 0, classes }, null, 2)}\n`);
  },
};

export const masksSoft: ExportFormat = {
  summary: "images and 16-bit PNG: how sure each pixel is foreground",
  version: 1,
  needs: { label: false, mask: true, embedding: false },
  write: (_plan, images, folder) => writeMasks(images, folder, soft),
};
