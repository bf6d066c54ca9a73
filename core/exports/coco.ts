import { decodeRuns, areaOfRuns, compressRuns, type RunLengths } from "../masks/rle.ts";
import { polygonsOf } from "../masks/polygons.ts";
import type { ExportFormat } from "./format.ts";
import type { ExportFolder } from "./folder.ts";
import type { ExportImage, ExportPlan } from "./records.ts";
import { boxOfRuns, ringOf } from "./shapes.ts";

type Segmentation = (runs: RunLengths) => unknown;

const runLengths: Segmentation = (runs) => ({ size: [runs.height, runs.width], counts: compressRuns(runs) });
const polygons: Segmentation = (runs) => polygonsOf(decodeRuns(runs)).map(ringOf);

/** Parts of one COCO file; both lists grow as images come, so memory follows the text of the annotations only. */
interface CocoFile {
  readonly images: string[];
  readonly annotations: string[];
}

/**
 * COCO's instances (cocodataset.org, "Data format"): one file a part, categories by id from 1 in label order. Beside the
 * fields of the format, a category has its whole `label_path` and an image its `original_path`, which readers pass over.
 */
async function writeCoco(
  plan: ExportPlan,
  images: AsyncIterable<ExportImage>,
  folder: ExportFolder,
  segmentation: Segmentation,
): Promise<void> {
  const parts = plan.parts.length === 0 ? (["all"] as const) : plan.parts;
  const files = new Map<string, CocoFile>(parts.map((part) => [part, { images: [], annotations: [] }]));
  let annotationId = 0;
  for await (const image of images) {
    const file = files.get(image.split ?? "all");
    if (file === undefined || !(await folder.picture(image, `images/${image.name}`))) continue;
    const { id, name, width, height, path } = image;
    file.images.push(JSON.stringify({ id, file_name: name, width, height, original_path: path }));
    for (const { classIndex, runs } of image.objects) {
      const box = boxOfRuns(runs);
      if (box === null) continue;
      file.annotations.push(
        JSON.stringify({
          id: ++annotationId,
          image_id: id,
          category_id: classIndex + 1,
          bbox: [box.x, box.y, box.width, box.height],
          area: areaOfRuns(runs),
          iscrowd: 0,
          segmentation: segmentation(runs),
        }),
      );
    }
  }
  for (const [part, file] of files) await folder.write(`annotations/instances_${part}.json`, textOf(plan, file));
}

function* textOf({ classes }: ExportPlan, { images, annotations }: CocoFile): Generator<string> {
  const categories = classes.map(({ path, name }, i) =>
    JSON.stringify({ id: i + 1, name, supercategory: path.at(-2) ?? "none", label_path: path }),
  );
  yield `{"info":{"description":"Exported by Dinoscope","version":"1"},"licenses":[]`;
  for (const [key, list] of Object.entries({ categories, images, annotations })) {
    yield `,\n"${key}":[`;
    for (const [i, item] of list.entries()) yield `${i === 0 ? "" : ","}\n${item}`;
    yield "]";
  }
  yield "}\n";
}

export const coco: ExportFormat = {
  summary: "COCO instances with run-length masks, exact",
  version: 1,
  needs: { label: true, mask: true, embedding: false },
  write: (plan, images, folder) => writeCoco(plan, images, folder, runLengths),
};

export const cocoPolygon: ExportFormat = {
  summary: "COCO instances with polygons; holes are cut open, for readers without run lengths",
  version: 1,
  needs: { label: true, mask: true, embedding: false },
  write: (plan, images, folder) => writeCoco(plan, images, folder, polygons),
};
