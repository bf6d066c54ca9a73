/** What a packed program must hold for its platform, and what it must not. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "../electron/places.ts";

export interface Target {
  readonly platform: "linux" | "win32" | "darwin";
  readonly arch: "x64" | "arm64";
}

/** The core's programs: what main and people start, and every process and thread that these start. */
export const coreEntries = [
  "main",
  "cli",
  "engine-main",
  "engine-training-loader-thread",
  "image-svg-main",
  "sample-main",
] as const;

/** Files without which the core does not run, as patterns of paths below `app.asar.unpacked`. */
function required({ platform, arch }: Target): RegExp[] {
  const target = `${platform}-${arch}`;
  const libraries = {
    linux: ["libonnxruntime\\.so\\.1"],
    // The last two compile shaders for WebGPU.
    win32: ["onnxruntime\\.dll", "DirectML\\.dll", "dxcompiler\\.dll", "dxil\\.dll"],
    darwin: ["libonnxruntime\\.1.*\\.dylib"],
  }[platform];
  const onnxruntime = `^node_modules/onnxruntime-node/bin/napi-v6/${platform}/${arch}`;
  // On Windows libvips is a DLL beside sharp itself.
  const vips =
    platform === "win32"
      ? `^node_modules/@img/sharp-${target}/lib/libvips-\\d+\\.dll$`
      : `^node_modules/@img/sharp-libvips-${target}/lib/libvips-cpp\\..*$`;
  return [
    `^node/node${platform === "win32" ? "\\.exe" : ""}$`,
    `^package\\.json$`,
    ...coreEntries.map((name) => `^dist/core/${name}\\.js$`),
    `^assets/models/starter/starter\\.safetensors$`,
    `^dist/renderer/index\\.html$`,
    `^dist/licences/LICENCES\\.txt$`,
    `^node_modules/better-sqlite3/prebuilds/${target}\\.node$`,
    `${onnxruntime}/onnxruntime_binding\\.node$`,
    ...libraries.map((library) => `${onnxruntime}/${library}$`),
    `^node_modules/@img/sharp-${target}/lib/sharp-${target}.*\\.node$`,
    vips,
  ].map((pattern) => new RegExp(pattern));
}

/** First bytes of programs and libraries: ELF, Windows' MZ, and Mach-O for one processor of 64 bits. */
const magic = { linux: "7f454c46", win32: "4d5a", darwin: "cffaedfe" } as const;

/** What never belongs into a program that people install. */
const unwanted = /\.(map|ts|tsx|svelte|tgz|sqlite|pth)$|(^|\/)(\.npmrc|\.git|test|src)(\/|$)/;

/** What is wrong with the unpacked part of a packed program, a line each; empty when nothing is. */
export function checkLayout(unpacked: string, target: Target): string[] {
  const files = filesBelow(unpacked);
  const missing = required(target)
    .filter((pattern) => !files.some((file) => pattern.test(file)))
    .map((pattern) => `nothing matches ${pattern.source}`);
  const foreign = files
    .filter((file) => /\.(node|dll|exe|dylib)$|\.so(\.|$)|^node\/node$/.test(file))
    .filter((file) => !firstBytes(join(unpacked, file)).startsWith(magic[target.platform]))
    .map((file) => `${file} is not for ${target.platform}`);
  return [...missing, ...foreign, ...files.filter((file) => unwanted.test(file)).map((file) => `${file} is of no use`)];
}

function firstBytes(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(4);
    readSync(descriptor, bytes, 0, 4, 0);
    return bytes.toString("hex");
  } finally {
    closeSync(descriptor);
  }
}

/** Bytes of all files below a folder. */
export function bytesBelow(folder: string): number {
  return filesBelow(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}
