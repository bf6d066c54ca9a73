import type { ExportFormat } from "./format.ts";
import { stemOf } from "./records.ts";
import { boxOfRuns } from "./shapes.ts";

/**
 * FiftyOne's own plain formats (docs.voxel51.com, "Importing data"): `data/` with labels.json is a
 * FiftyOneImageClassificationDataset; with detections.json as its labels, a FiftyOneImageDetectionDataset. Both name images
 * by the part of their file names before the ending, and give boxes as shares of the picture.
 */
export const fiftyone: ExportFormat = {
  summary: "FiftyOne: data/ with labels.json (classification) and detections.json (boxes), a folder a part",
  version: 1,
  needs: { label: true, mask: false, embedding: false },
  uses: { mask: true },
  write: async ({ classes, parts }, images, folder) => {
    const names = classes.map(({ name }) => name);
    const labels = new Map<string, string[]>();
    const detections = new Map<string, string[]>();
    for (const part of parts.length === 0 ? [""] : parts) {
      labels.set(part, []);
      detections.set(part, []);
    }
    for await (const image of images) {
      const part = image.split ?? "";
      const under = part === "" ? "" : `${part}/`;
      if (!(await folder.picture(image, `${under}data/${image.name}`))) continue;
      const key = JSON.stringify(stemOf(image.name));
      labels.get(part)?.push(`${key}: ${image.classIndex}`);
      const boxes = image.objects.flatMap(({ classIndex, runs }) => {
        const box = boxOfRuns(runs);
        if (box === null) return [];
        const { width, height } = image;
        const shares = [box.x / width, box.y / height, box.width / width, box.height / height];
        return [{ label: classIndex, bounding_box: shares }];
      });
      detections.get(part)?.push(`${key}: ${JSON.stringify(boxes)}`);
    }
    for (const [file, byPart] of [["labels.json", labels] as const, ["detections.json", detections] as const]) {
      for (const [part, entries] of byPart) {
        const text = `{"classes": ${JSON.stringify(names)},\n"labels": {\n${entries.join(",\n")}\n}}\n`;
        await folder.write(part === "" ? file : `${part}/${file}`, text);
      }
    }
  },
};
