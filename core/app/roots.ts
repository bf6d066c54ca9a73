/**
 * Folders that the page may browse, take pictures from and write into. Paths are compared after links are followed, so
 * that no link inside a root leads out of it.
 */
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Folder, FolderRoot } from "../rpc/views.ts";
import { CoreError } from "../util/errors.ts";

export interface Roots {
  /** The folders that were given, or the home folder, and what counts as well. */
  given(): readonly string[];
  list(): Promise<FolderRoot[]>;
  /** The real path of a file or folder inside a root. Throws `path-outside` or `path-missing`. */
  existing(path: string): Promise<string>;
  /** The real path that a new file or folder would have; the one it stands in must be inside a root. Throws as above. */
  fresh(path: string): Promise<string>;
  /** `fresh`, for what is written over nothing, nor through a link. Throws as above, and `export-exists` for what is there. */
  unused(path: string): Promise<string>;
  /** What is in a folder. Throws as above, and `folder-unreadable`. */
  browse(path: string): Promise<Folder>;
}

/** Names listed of one folder. */
const maximalFolders = 5000;
const maximalFiles = 1000;

const pictureEnding = /\.(jpe?g|jfif|png|webp|avif|gif|tiff?)$/i;
const otherEnding = /\.(pth|pt|safetensors|onnx|csv|tsv|json|jsonl|ndjson|ya?ml)$/i;

/** Roots given by the user, or else the home folder; `more` names folders that count as well, such as sources. */
export function createRoots(given: readonly string[], more: () => readonly string[]): Roots {
  const folders = (given.length === 0 ? [homedir()] : given).map((folder) => resolve(folder));
  const realRoots = async (): Promise<string[]> => {
    const found = await Promise.all([...folders, ...more()].map((folder) => realpath(folder).catch(() => null)));
    return [...new Set(found.filter((folder) => folder !== null))];
  };
  const check = async (path: string): Promise<{ real: string; roots: string[] }> => {
    const roots = await realRoots();
    // Asked before the disk is: what is outside is refused without a word on whether it is there.
    const near = [...folders, ...more(), ...roots].some((root) => isInside(root, resolve(path)));
    if (!isAbsolute(path) || path.includes("\0") || !near) throw outside(path);
    const real = await realpath(path).catch((cause: unknown) => {
      throw new CoreError("path-missing", `There is no ${path}.`, { cause });
    });
    if (!roots.some((root) => isInside(root, real))) throw outside(path);
    return { real, roots };
  };
  const fresh = async (path: string): Promise<string> =>
    join((await check(dirname(resolve(path)))).real, basename(path));
  return {
    given: () => [...folders, ...more()],
    list: async () => {
      const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => null)));
      return real.flatMap((path) => (path === null ? [] : [{ path, name: basename(path) || path }]));
    },
    existing: async (path) => (await check(path)).real,
    fresh,
    unused: async (path) => {
      const real = await fresh(path);
      // Not followed: a link that leads nowhere yet is in the way, too.
      if ((await lstat(real).catch(() => null)) === null) return real;
      throw new CoreError("export-exists", `${real} is there already.`, {
        hint: "Choose another name, or move it away. Dinoscope writes over nothing of yours.",
      });
    },
    browse: async (path) => {
      const { real, roots } = await check(path);
      const entries = await readdir(real, { withFileTypes: true }).catch((cause: unknown) => {
        throw new CoreError("folder-unreadable", `The folder ${path} cannot be listed.`, {
          hint: "Check that it is a folder, and that you may read it.",
          cause,
        });
      });
      const shown = entries.filter(({ name }) => !name.startsWith(".")).sort((a, b) => (a.name < b.name ? -1 : 1));
      const subfolders = shown.filter((entry) => entry.isDirectory()).slice(0, maximalFolders);
      const files = shown.filter((entry) => entry.isFile());
      const listed = files.filter(({ name }) => pictureEnding.test(name) || otherEnding.test(name));
      const sized = await Promise.all(
        listed.slice(0, maximalFiles).map(async ({ name }) => {
          const file = join(real, name);
          return { name, path: file, byteSize: (await stat(file).catch(() => null))?.size ?? 0 };
        }),
      );
      return {
        path: real,
        parent:
          roots.includes(real) && !roots.some((root) => root !== real && isInside(root, real)) ? null : dirname(real),
        folders: subfolders.map(({ name }) => ({ name, path: join(real, name) })),
        files: sized,
        pictures: files.filter(({ name }) => pictureEnding.test(name)).length,
      };
    },
  };
}

/** Whether a path is a folder or lies in it; both absolute. */
export function isInside(folder: string, path: string): boolean {
  const inner = relative(folder, path);
  return inner === "" || (inner !== ".." && !inner.startsWith(`..${sep}`) && !isAbsolute(inner));
}

function outside(path: string): CoreError {
  return new CoreError("path-outside", `${path} lies outside the folders that may be used here.`, {
    hint: "Choose a folder in your home folder, or start Dinoscope with --root FOLDER.",
  });
}
