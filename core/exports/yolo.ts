import { polygonsOf } from "../masks/polygons.ts";
import { decodeRuns } from "../masks/rle.ts";
import type { ExportFormat } from "./format.ts";
import type { ExportFolder } from "./folder.ts";
import { stemOf, type ExportImage, type ExportObject, type ExportPlan } from "./records.ts";
import { boxOfRuns, ringOf } from "./shapes.ts";

/** Numbers of the lines of one object, without the class. */
type Lines = (object: ExportObject) => (readonly number[])[];

/** Nine digits place a corner within a thousandth of a pixel on any picture; fewer would move edges on large ones. */
function share(value: number, whole: number): number {
  return Number((value / whole).toFixed(9));
}

/** Centre and size of the box around an object, as shares of the picture. */
const boxLines: Lines = ({ runs }) => {
  const box = boxOfRuns(runs);
  if (box === null) return [];
  const { x, y, width, height } = box;
  const centre = [share(x + width / 2, runs.width), share(y + height / 2, runs.height)];
  return [[...centre, share(width, runs.width), share(height, runs.height)]];
};

/** Corners of each part of an object, as shares of the picture; a line a part. */
const polygonLines: Lines = ({ runs }) =>
  polygonsOf(decodeRuns(runs)).map((polygon) =>
    ringOf(polygon).map((value, i) => share(value, i % 2 === 0 ? runs.width : runs.height)),
  );

/** Ultralytics' layout (docs.ultralytics.com, "Datasets"): images/PART, labels/PART and data.yaml. */
async function writeYolo(
  plan: ExportPlan,
  images: AsyncIterable<ExportImage>,
  folder: ExportFolder,
  lines: Lines,
): Promise<void> {
  for await (const image of images) {
    const part = image.split ?? "train";
    if (!(await folder.picture(image, `images/${part}/${image.name}`))) continue;
    const text = image.objects.flatMap((object) =>
      lines(object).map((numbers) => `${object.classIndex} ${numbers.join(" ")}\n`),
    );
    await folder.write(`labels/${part}/${stemOf(image.name)}.txt`, text.join(""));
  }
  await folder.write("data.yaml", dataYaml(plan));
}

function dataYaml({ classes, parts }: ExportPlan): string {
  const has = (part: "val" | "test"): boolean => parts.includes(part);
  // Training refuses a file without `val`.
  const sets = ["train: images/train", `val: images/${has("val") ? "val" : "train"}`];
  const names = classes.map(({ name }, i) => `  ${i}: ${yamlText(name)}`);
  return [...sets, ...(has("test") ? ["test: images/test"] : []), "names:", ...names, ""].join("\n");
}

/** JSON text is YAML text too, but for characters that YAML wants escaped. */
function yamlText(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export const yoloSegment: ExportFormat = {
  summary: "YOLO segmentation: images, labels with polygons, data.yaml",
  version: 1,
  needs: { label: true, mask: true, embedding: false },
  write: (plan, images, folder) => writeYolo(plan, images, folder, polygonLines),
};

export const yoloDetect: ExportFormat = {
  summary: "YOLO detection: images, labels with boxes around the masks, data.yaml",
  version: 1,
  needs: { label: true, mask: true, embedding: false },
  write: (plan, images, folder) => writeYolo(plan, images, folder, boxLines),
};
