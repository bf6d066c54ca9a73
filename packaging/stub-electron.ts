import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The mark after which Electron keeps its fuses (one byte each: version, count, states), all as they come. */
const states = "101100011";
const fuses = Buffer.concat([
  Buffer.from("dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX"),
  Buffer.from([1, states.length]),
  Buffer.from(states),
]);

/**
 * Writes a folder that electron-builder takes for Electron, so that packing is tested without the binary. On Linux the
 * program does nothing; for Windows electron-builder writes into a real program, and `windowsProgram` lends itself.
 */
export function writeStubElectron(folder: string, version: string, windowsProgram?: string): void {
  mkdirSync(join(folder, "locales"), { recursive: true });
  mkdirSync(join(folder, "resources"));
  const program =
    windowsProgram === undefined ? Buffer.from("#!/bin/sh\nexit 0\n") : withoutSignature(readFileSync(windowsProgram));
  const name = windowsProgram === undefined ? "electron" : "electron.exe";
  writeFileSync(join(folder, name), Buffer.concat([program, fuses]), { mode: 0o755 });
  writeFileSync(join(folder, "version"), version);
  for (const file of ["LICENSE", "LICENSES.chromium.html", "locales/en-US.pak"]) writeFileSync(join(folder, file), "");
}

/** A Windows program (PE32+) whose directory names no certificate: a signed one is not written into. */
function withoutSignature(program: Buffer): Buffer {
  const header = program.readUInt32LE(0x3c);
  // 24 bytes of signature and file header, 112 of optional header, then directories of 8 bytes; the fifth is meant.
  program.fill(0, header + 24 + 112 + 4 * 8, header + 24 + 112 + 5 * 8);
  return program;
}
