import { CoreError } from "../util/errors.ts";
import { filesBelow, openDataset, pictureEndings, type ImportContext, type ImportedRow } from "./dataset.ts";

/** Folders that are parts of a split, where a data set has nothing else at its top. */
const partNames = new Set(["train", "training", "val", "valid", "validation", "test", "testing"]);

/**
 * Reads pictures in folders that are named by labels, nested as the labels are: a copy of the data set need not be in the
 * library, its pictures are found there by their names. Folders of a split at the top are passed over. An export of ours
 * says itself which label a folder stands for. Throws `import-format`.
 */
export async function* readClassFolders(path: string, _context: ImportContext): AsyncGenerator<ImportedRow> {
  const dataset = await openDataset(path);
  const files = await filesBelow(dataset.root, "", pictureEndings);
  if (files.length === 0) throw new CoreError("import-format", `${path} has no pictures in folders.`);
  const isSplit = files.every((file) => partNames.has((file.split("/")[0] ?? "").toLowerCase()));
  for (const file of files) {
    const folder = file.split("/").slice(0, -1);
    const names = isSplit ? folder.slice(1) : folder;
    const label = dataset.labelOfFolder(folder.join("/")) ?? names;
    if (label.length > 0) yield { kind: "image", line: 0, paths: dataset.pathsOf(file), label, mask: null };
  }
}
