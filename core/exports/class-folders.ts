import type { ExportFormat } from "./format.ts";
import type { ExportFolder } from "./folder.ts";
import { createFolderNames } from "./names.ts";
import type { ExportImage, ExportPlan } from "./records.ts";

/** Names of the folders of classes; nested ones follow the label tree. The manifest says which label each stands for. */
function folderNames(plan: ExportPlan, folder: ExportFolder, parts: readonly string[], nested: boolean): string[] {
  const takers = new Map<string, (label: string) => string>();
  const given = new Map<string, string>();
  const nameOf = (parent: string, label: string): string => {
    const key = JSON.stringify([parent, label]);
    const taker = takers.get(parent) ?? createFolderNames();
    takers.set(parent, taker);
    const name = given.get(key) ?? taker(label);
    given.set(key, name);
    return parent === "" ? name : `${parent}/${name}`;
  };
  return plan.classes.map(({ path, name }) => {
    const own = nested ? path.reduce(nameOf, "") : nameOf("", name);
    for (const part of parts) folder.rename(part === "" ? own : `${part}/${own}`, JSON.stringify(path));
    return own;
  });
}

async function writeFolders(
  plan: ExportPlan,
  images: AsyncIterable<ExportImage>,
  folder: ExportFolder,
  { nested, unsplit }: { nested: boolean; unsplit: string },
): Promise<void> {
  const parts = plan.parts.length === 0 ? [unsplit] : plan.parts;
  const names = folderNames(plan, folder, parts, nested);
  for await (const image of images) {
    const own = names[image.classIndex ?? -1];
    const part = image.split ?? unsplit;
    if (own !== undefined) await folder.picture(image, [...(part === "" ? [] : [part]), own, image.name].join("/"));
  }
}

export const folders: ExportFormat = {
  summary: "pictures in a folder for each label, nested as the labels are",
  version: 1,
  needs: { label: true, mask: false, embedding: false },
  write: (plan, images, folder) => writeFolders(plan, images, folder, { nested: true, unsplit: "" }),
};

export const yoloClassify: ExportFormat = {
  summary: "pictures as train/LABEL/… and val/LABEL/…, for Ultralytics classification",
  version: 1,
  needs: { label: true, mask: false, embedding: false },
  write: (plan, images, folder) => writeFolders(plan, images, folder, { nested: false, unsplit: "train" }),
};
