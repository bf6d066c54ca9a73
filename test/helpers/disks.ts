/** Small disks in memory, for tests of full and of read-only ones. Only root may mount them, and only on Linux. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

function mount(...parameters: string[]): boolean {
  try {
    execFileSync("mount", parameters, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function mountDisk(megabytes: number): string | null {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-disk-"));
  if (mount("-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder)) return folder;
  rmdirSync(folder);
  return null;
}

function unmount(folder: string): void {
  // Lazily, in case a process that was just killed still has a file open there.
  execFileSync("umount", ["-l", folder]);
  rmdirSync(folder);
}

/** Whether this process may mount disks. */
export const canMount = ((): boolean => {
  if (process.platform !== "linux") return false;
  const folder = mountDisk(1);
  if (folder !== null) unmount(folder);
  return folder !== null;
})();

/** A small disk that is taken away after the test. */
export interface Disk {
  readonly folder: string;
  /** Fills it up to the last `bytes`. */
  leave(bytes: number): void;
  /** Takes out again what `leave` put there. */
  clear(): void;
  makeReadOnly(): void;
  makeWritable(): void;
}

/** Mounts a disk of `megabytes`. Needs `canMount`. */
export function smallDisk(megabytes: number): Disk {
  const folder = mountDisk(megabytes);
  if (folder === null) throw new Error("A disk was to be mounted, and cannot be.");
  onTestFinished(() => unmount(folder));
  const ballast = join(folder, "ballast");
  const remount = (mode: "ro" | "rw"): void => {
    if (!mount("-o", `remount,${mode}`, folder)) throw new Error(`The disk could not be made ${mode}.`);
  };
  return {
    folder,
    leave: (bytes) => {
      // Others write meanwhile: what they took between asking and filling is not there any more.
      for (let attempt = 1; ; attempt++) {
        const { bavail, bsize } = statfsSync(folder);
        try {
          writeFileSync(ballast, new Uint8Array(Math.max(0, bavail * bsize - bytes)));
          return;
        } catch (error) {
          rmSync(ballast, { force: true });
          if (attempt === 20) throw error;
        }
      }
    },
    clear: () => rmSync(ballast, { force: true }),
    makeReadOnly: () => remount("ro"),
    makeWritable: () => remount("rw"),
  };
}
