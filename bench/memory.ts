/**
 * Peak memory of all processes while a folder is taken in and embedded (Linux):
 *
 *     node bench/memory.ts FOLDER [--arch vit-small]
 *
 * Resident memory of the command and its children is added up ten times a second; pages that they share count for each.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  options: { arch: { type: "string", default: "vit-small" } },
  allowPositionals: true,
});
const library = mkdtempSync(join(tmpdir(), "dinoscope-bench-"));
const cli = resolve(import.meta.dirname, "../core/cli.ts");
try {
  await measured("add", resolve(positionals[0] ?? "."));
  await measured("models", "new", "bench", "--arch", values.arch);
  await measured("embed", "--device", "cpu");
} finally {
  rmSync(library, { recursive: true, force: true });
}

async function measured(...words: string[]): Promise<void> {
  const start = performance.now();
  const child = spawn(process.execPath, [cli, "--library", library, ...words], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, residentBytes(child.pid ?? 0))), 100);
  await new Promise((done) => child.once("exit", done));
  clearInterval(timer);
  const seconds = (performance.now() - start) / 1000;
  console.log(`  ${words[0]}: peak ${(peak / 1e6).toFixed(0)} MB over all processes, ${seconds.toFixed(1)} s`);
}

/** Resident memory of a process and everything below it. */
function residentBytes(root: number): number {
  const parents = new Map<number, number>();
  const resident = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      parents.set(Number(name), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]));
      resident.set(Number(name), Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // The process ended between the two reads.
    }
  }
  const isBelow = (pid: number): boolean => pid === root || (parents.has(pid) && isBelow(parents.get(pid) ?? 0));
  return [...resident].reduce((sum, [pid, bytes]) => sum + (isBelow(pid) ? bytes : 0), 0);
}
