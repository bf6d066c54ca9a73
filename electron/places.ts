/** Where things lie, in the packed program and in a checkout. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface Places {
  /** The Node that runs the core. */
  readonly node: string;
  /** The core's entry. */
  readonly core: string;
  /** The working directory of the core. */
  readonly root: string;
  readonly preload: string;
  /** The archive whose header holds the hashes of the files beside it; null in a checkout. */
  readonly archive: string | null;
  /** Licences of everything that is shipped. */
  readonly licences: string;
}

interface Program {
  readonly isPackaged: boolean;
  /** The archive of the packed program, or the checkout. */
  readonly appPath: string;
  readonly platform: NodeJS.Platform;
  readonly arch: string;
}

/** Finds everything from where the program itself lies. */
export function findPlaces({ isPackaged, appPath, platform, arch }: Program): Places {
  const node = platform === "win32" ? "node.exe" : "node";
  const preload = join(appPath, "dist", "electron", "preload.cjs");
  const licences = ["dist", "licences", "LICENCES.txt"];
  if (isPackaged) {
    // Plain Node cannot read the archive, so what it needs lies unpacked beside it.
    const root = `${appPath}.unpacked`;
    return {
      node: join(root, "node", node),
      core: join(root, "dist", "core", "main.js"),
      root,
      preload,
      archive: appPath,
      licences: join(root, ...licences),
    };
  }
  const shipped = `node-${platform === "win32" ? "win" : platform}-${arch}`;
  const beside = join(appPath, "node_modules", shipped, "bin", node);
  return {
    node: existsSync(beside) ? beside : node,
    core: join(appPath, "core", "main.ts"),
    root: appPath,
    preload,
    archive: null,
    licences: join(appPath, ...licences),
  };
}

/** Every file below a folder, relative to it, with forward slashes. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    );
}
