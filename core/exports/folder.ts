import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CoreError, errorRecord } from "../util/errors.ts";
import type { ExportImage } from "./records.ts";

/** A file of an export, as its manifest lists it. */
export interface ExportedFile {
  /** Within the export, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  /** In hex. For a link, of the file that it leads to. */
  readonly sha256: string;
}

/** A picture that could not be taken along. */
export interface SkippedPicture {
  readonly path: string;
  readonly reason: string;
}

type Text = string | Uint8Array;

/** An export while it is written. Paths are within it, with forward slashes. */
export interface ExportFolder {
  write(path: string, content: Text | Iterable<Text> | AsyncIterable<Text>): Promise<void>;
  /**
   * Takes the picture of an image along under `path`: copied, linked, or turned upright, as was chosen. False where its
   * file is gone or cannot be read, which the manifest says; the image must then be left out.
   */
  picture(image: ExportImage, path: string): Promise<boolean>;
  /** What a name in the export stands for: a folder of a label, say. Goes to the manifest. */
  rename(path: string, original: string): void;
}

/** How pictures are taken along. */
export interface PictureChoice {
  /** Symbolic links to the pictures where they lie. */
  readonly link: boolean;
  /**
   * Writes an upright copy of a picture that has to be turned and says true; false, with nothing written, for one that is
   * stored upright. Null: pictures are copied as they are.
   */
  readonly turn: ((from: string, to: string) => Promise<boolean>) | null;
}

export interface FolderOptions {
  /** Where the export goes: an absolute path. */
  readonly destination: string;
  /** Puts it in the place of an export that is there. */
  readonly replace: boolean;
  readonly pictures: PictureChoice;
}

/** What was written, for the manifest. */
export interface Written {
  readonly files: readonly ExportedFile[];
  readonly names: readonly { readonly path: string; readonly original: string }[];
  readonly skipped: readonly SkippedPicture[];
}

/** Every export has it, and says by it that it is one. */
export const manifestName = "manifest.json";

/** Marks a folder that is being written, so that one left behind by a killed process can be told from a user's. */
const markName = ".dinoscope-export-unfinished";

/** Bytes gathered before they go to the disk. */
const bufferBytes = 2 ** 20;

/**
 * Writes an export beside its place (`destination.partial`) and renames it once it is whole, so that `destination` never
 * holds half of one: an error or a stop leaves nothing behind. `work` writes the files; `manifest` says what the manifest
 * holds. Throws `export-exists` for a folder that is there, unless `replace` is set and it is an export.
 */
export async function writeExport<Manifest extends object>(
  { destination, replace, pictures }: FolderOptions,
  work: (folder: ExportFolder) => Promise<void>,
  manifest: (written: Written) => Manifest,
): Promise<Manifest> {
  const replaced = await refuseTaken(destination, replace);
  const partial = `${destination}.partial`;
  await clearPartial(partial);
  await mkdir(partial, { recursive: true });
  try {
    await writeFile(join(partial, markName), "");
    const { folder, written } = createFolder(partial, pictures);
    await work(folder);
    const result = manifest(written());
    await writeFile(join(partial, manifestName), `${JSON.stringify(result, null, 2)}\n`);
    await rm(join(partial, markName));
    await putInPlace(partial, destination, replaced);
    return result;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** Whether there is an export to replace. */
async function refuseTaken(destination: string, replace: boolean): Promise<boolean> {
  if (!(await exists(destination))) return false;
  if (!replace) {
    throw new CoreError("export-exists", `${destination} is there already.`, {
      hint: "Choose another folder, or replace the export that is there.",
    });
  }
  if (await isExport(destination)) return true;
  throw new CoreError("export-exists", `${destination} is there already and is no export of Dinoscope.`, {
    hint: "Only exports are replaced, so that no folder of yours is lost. Choose another folder, or delete it yourself.",
  });
}

async function isExport(folder: string): Promise<boolean> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, manifestName), "utf8")) as unknown;
    return (
      typeof manifest === "object" && manifest !== null && "writtenBy" in manifest && manifest.writtenBy === "dinoscope"
    );
  } catch {
    return false;
  }
}

async function clearPartial(partial: string): Promise<void> {
  if (!(await exists(partial))) return;
  if (!(await exists(join(partial, markName)))) {
    throw new CoreError("export-exists", `${partial} is in the way: exports are written there first.`, {
      hint: "Move it away, or choose another folder.",
    });
  }
  await rm(partial, { recursive: true });
}

/** An export that is replaced steps aside first, and comes back where the new one cannot take its place. */
async function putInPlace(partial: string, destination: string, replaced: boolean): Promise<void> {
  const old = `${destination}.old-${Date.now()}`;
  if (replaced) await rename(destination, old);
  try {
    await rename(partial, destination);
  } catch (error) {
    if (replaced) await rename(old, destination);
    throw error;
  }
  if (replaced) await rm(old, { recursive: true, force: true });
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}

function createFolder(root: string, choice: PictureChoice): { folder: ExportFolder; written: () => Written } {
  const files: ExportedFile[] = [];
  const names: { path: string; original: string }[] = [];
  const skipped: SkippedPicture[] = [];
  const madeFolders = new Set<string>();
  const place = async (path: string): Promise<string> => {
    const file = join(root, path);
    if (!madeFolders.has(dirname(file))) await mkdir(dirname(file), { recursive: true });
    madeFolders.add(dirname(file));
    return file;
  };
  const list = (path: string, { bytes, sha256 }: Hashed): void => void files.push({ path, bytes, sha256 });
  const take = async (from: string, to: string): Promise<Hashed> => {
    if (choice.turn !== null && (await choice.turn(from, to))) return hashFile(to);
    if (!choice.link) return writeHashed(to, readPicture(from));
    const hashed = await hashFile(from);
    await symlink(from, to).catch(refuseLink);
    return hashed;
  };
  const folder: ExportFolder = {
    write: async (path, content) => list(path, await writeHashed(await place(path), content)),
    picture: async (image, path) => {
      const to = await place(path);
      try {
        list(path, await take(image.file, to));
      } catch (error) {
        if (!(error instanceof UnreadablePicture)) throw error;
        await rm(to, { force: true });
        skipped.push({ path: image.path, reason: error.message });
        return false;
      }
      names.push({ path, original: image.path });
      return true;
    },
    rename: (path, original) => void names.push({ path, original }),
  };
  return { folder, written: () => ({ files, names, skipped }) };
}

/** A picture's own fault, beside those of the disk that is written to. */
export class UnreadablePicture extends Error {}

function refuseLink(cause: NodeJS.ErrnoException): never {
  throw new CoreError("export-link", `The system refuses symbolic links there (${cause.code ?? cause.message}).`, {
    hint: "Export without --link, or on Windows switch on developer mode.",
    cause,
  });
}

interface Hashed {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Links were left out when the folder was looked through; what was put in a picture's place since is not followed, and a
 * pipe is not waited for. No more is read than a file had when it was opened.
 */
const readPlainly = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

async function* readPicture(path: string): AsyncGenerator<Uint8Array> {
  try {
    const file = await open(path, readPlainly);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new CoreError("file-not-regular", "It is no regular file.");
      if (found.size === 0) return;
      const stream = file.createReadStream({ start: 0, end: found.size - 1, autoClose: false });
      for await (const chunk of stream) yield chunk as Uint8Array;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new UnreadablePicture(errorRecord(error).message);
  }
}

async function hashFile(file: string): Promise<Hashed> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of readPicture(file)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function writeHashed(file: string, content: Text | Iterable<Text> | AsyncIterable<Text>): Promise<Hashed> {
  const hash = createHash("sha256");
  const handle = await open(file, "wx");
  let bytes = 0;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    const buffer = Buffer.concat(waiting);
    [waiting, waitingBytes] = [[], 0];
    hash.update(buffer);
    for (let done = 0; done < buffer.length;) done += (await handle.write(buffer, done)).bytesWritten;
    bytes += buffer.length;
  };
  try {
    for await (const piece of typeof content === "string" || content instanceof Uint8Array ? [content] : content) {
      const buffer =
        typeof piece === "string" ? Buffer.from(piece) : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      waiting.push(buffer);
      waitingBytes += buffer.length;
      if (waitingBytes >= bufferBytes) await flush();
    }
    await flush();
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest("hex") };
}
