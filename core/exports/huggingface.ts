import { areaOfRuns, compressRuns } from "../masks/rle.ts";
import type { ExportFormat } from "./format.ts";
import { classOf, type ExportImage, type ExportPlan } from "./records.ts";
import { boxOfRuns } from "./shapes.ts";

/** One line of metadata.jsonl. Objects are lists side by side, which is how the library keeps a list of records. */
function lineOf(plan: ExportPlan, image: ExportImage): string {
  const label = classOf(plan, image);
  const boxed = image.objects.flatMap(({ classIndex, runs }) => {
    const box = boxOfRuns(runs);
    return box === null ? [] : [{ classIndex, runs, bbox: [box.x, box.y, box.width, box.height] }];
  });
  const objects = {
    bbox: boxed.map(({ bbox }) => bbox),
    // A mask on an image that nobody has labelled is of no class.
    category: boxed.map(({ classIndex }) => (label === null ? null : (plan.classes[classIndex]?.name ?? null))),
    area: boxed.map(({ runs }) => areaOfRuns(runs)),
    mask: boxed.map(({ runs }) => ({ size: [runs.height, runs.width], counts: compressRuns(runs) })),
  };
  const { name, path, width, height, provenance, confidence } = image;
  const values = { label: label?.name ?? null, label_path: label?.path ?? [], original_path: path };
  return `${JSON.stringify({ file_name: name, ...values, width, height, provenance, confidence, objects })}\n`;
}

/** The library's name of a part (Hugging Face datasets, "Structure your repository"). */
const partNames = { train: "train", val: "validation", test: "test" } as const;

export const huggingface: ExportFormat = {
  summary: "Hugging Face ImageFolder: pictures with metadata.jsonl (labels, boxes, masks as run lengths)",
  version: 1,
  needs: { label: false, mask: false, embedding: false },
  uses: { mask: true },
  write: async (plan, images, folder) => {
    const lines = new Map<string, string[]>();
    for await (const image of images) {
      const part = partNames[image.split ?? "train"];
      if (!(await folder.picture(image, `${part}/${image.name}`))) continue;
      const list = lines.get(part) ?? [];
      list.push(lineOf(plan, image));
      lines.set(part, list);
    }
    for (const [part, list] of lines) await folder.write(`${part}/metadata.jsonl`, list);
  },
};
