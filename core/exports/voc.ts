import type { ExportFormat } from "./format.ts";
import { encodePng, type Palette } from "./png.ts";
import { stemOf, type ExportImage, type ExportPlan } from "./records.ts";
import { boxOfRuns, paintClasses } from "./shapes.ts";

/** Classes that fit beside background (0) and the void (255) that VOC readers leave out of their counts. */
const maxClasses = 254;

/** Colours of the VOC development kit: the bits of the index dealt out to red, green and blue, highest first. */
export const vocPalette: Palette = Array.from({ length: 256 }, (_, index) => {
  const colour: [number, number, number] = [0, 0, 0];
  for (let rest = index, bit = 7; bit >= 0; rest >>= 3, bit--) {
    colour[0] |= (rest & 1) << bit;
    colour[1] |= ((rest >> 1) & 1) << bit;
    colour[2] |= ((rest >> 2) & 1) << bit;
  }
  return colour;
});

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Text of an XML element. Characters that XML cannot hold at all become spaces. */
export function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, " ")
    .replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** Boxes count pixels from 1, both ends included, as in the development kit (PASRECORD.bbox). */
function annotation(
  { classes }: ExportPlan,
  { name, width, height, objects }: ExportImage,
  segmented: boolean,
): string {
  const things = objects.flatMap(({ classIndex, runs }) => {
    const box = boxOfRuns(runs);
    if (box === null) return [];
    const { x, y } = box;
    const edges = { xmin: x + 1, ymin: y + 1, xmax: x + box.width, ymax: y + box.height };
    const truncated = x === 0 || y === 0 || x + box.width === width || y + box.height === height ? 1 : 0;
    const inner = Object.entries(edges).map(([edge, value]) => `      <${edge}>${value}</${edge}>`);
    return [
      "  <object>",
      `    <name>${xmlText(classes[classIndex]?.name ?? "")}</name>`,
      `    <pose>Unspecified</pose>\n    <truncated>${truncated}</truncated>\n    <difficult>0</difficult>`,
      ["    <bndbox>", ...inner, "    </bndbox>"].join("\n"),
      "  </object>",
    ];
  });
  const head = [
    "<annotation>",
    "  <folder>JPEGImages</folder>",
    `  <filename>${xmlText(name)}</filename>`,
    "  <source>\n    <database>Dinoscope</database>\n  </source>",
    `  <size>\n    <width>${width}</width>\n    <height>${height}</height>\n    <depth>3</depth>\n  </size>`,
    `  <segmented>${segmented ? 1 : 0}</segmented>`,
  ];
  return [...head, ...things, "</annotation>", ""].join("\n");
}

export const voc: ExportFormat = {
  summary: "Pascal VOC: JPEGImages, Annotations, SegmentationClass (up to 254 labels), ImageSets",
  version: 1,
  needs: { label: true, mask: true, embedding: false },
  write: async (plan, images, folder) => {
    const segmented = plan.classes.length <= maxClasses;
    const sets = new Map<string, string[]>();
    for await (const image of images) {
      if (!(await folder.picture(image, `JPEGImages/${image.name}`))) continue;
      const stem = stemOf(image.name);
      await folder.write(`Annotations/${stem}.xml`, annotation(plan, image, segmented));
      if (segmented) {
        const { width, height } = image;
        const data = Uint8Array.from(paintClasses(image.objects, width, height));
        const png = encodePng({ width, height, depth: 8, palette: vocPalette, data });
        await folder.write(`SegmentationClass/${stem}.png`, png);
      }
      const part = image.split ?? "train";
      for (const set of part === "test" ? [part] : [part, "trainval"]) {
        const stems = sets.get(set) ?? [];
        stems.push(stem);
        sets.set(set, stems);
      }
    }
    for (const [set, stems] of sets) {
      const text = stems.map((stem) => `${stem}\n`).join("");
      await folder.write(`ImageSets/Main/${set}.txt`, text);
      if (segmented) await folder.write(`ImageSets/Segmentation/${set}.txt`, text);
    }
    // VOC has its classes in the code of its readers; others look for this file.
    await folder.write("labels.txt", plan.classes.map(({ name }) => `${name}\n`).join(""));
  },
};
