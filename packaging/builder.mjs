/**
 * The computed part of electron-builder.yml: which files go in. `${platform}` in electron-builder's patterns is the
 * machine that packs, so the target is told by PACK_PLATFORM (linux, win32, darwin) and PACK_ARCH (x64, arm64).
 * Everything stands in one list: lists of a platform that only exclude would add all other files.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const platform = process.env.PACK_PLATFORM ?? process.platform;
const arch = process.env.PACK_ARCH ?? process.arch;

/** The packages with native code; everything else is bundled. */
const natives = ["better-sqlite3", "onnxruntime-node", "sharp"];
/** Needed to install or compile them, not to run them. */
const forInstalling = ["adm-zip", "global-agent", "node-addon-api"];

/**
 * Every package that shipped code may load from node_modules: the natives and what they need, by the lock file.
 * @param {{ packages: Record<string, { dependencies?: object, optionalDependencies?: object }> }} lock
 * @returns {string[]}
 */
export function shippedPackages(lock) {
  const found = new Set();
  const visit = (name) => {
    const entry = lock.packages[`node_modules/${name}`];
    if (entry === undefined || found.has(name) || forInstalling.includes(name)) return;
    found.add(name);
    for (const next of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) visit(next);
  };
  natives.forEach(visit);
  return [...found];
}

/**
 * Packages of the target only: `sharp-win32-x64` has no business on Linux.
 * @param {string} name
 * @param {string} targetPlatform
 * @param {string} targetArch
 */
export function isForTarget(name, targetPlatform, targetArch) {
  if (!name.startsWith("@img/sharp-")) return true;
  return name.endsWith(`-${targetPlatform}-${targetArch}`);
}

const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
const packages = shippedPackages(lock).filter((name) => isForTarget(name, platform, arch));
const node = `node-${platform === "win32" ? "win" : platform}-${arch}`;
const feed = process.env.PACK_FEED;

export default {
  electronDist: process.env.PACK_ELECTRON_DIST ?? null,
  files: [
    "package.json",
    "dist/{core,electron,renderer,licences}/**",
    "assets/models/**",
    "!node_modules/**",
    ...packages.map((name) => `node_modules/${name}/**`),
    "!node_modules/**/*.{map,md,markdown,d.ts,d.mts,d.cts,ts,c,cc,cpp,h,hpp,gyp,gypi}",
    "!node_modules/onnxruntime-node/{script,lib,bin}{,/**}",
    `node_modules/onnxruntime-node/bin/napi-v6/${platform}/${arch}/**`,
    // The same bytes as libonnxruntime.1.dylib.
    "!node_modules/onnxruntime-node/bin/napi-v6/darwin/*/libonnxruntime.[0-9]*.[0-9]*.[0-9]*.dylib",
    "!node_modules/better-sqlite3/{deps,src,prebuilds}{,/**}",
    `node_modules/better-sqlite3/prebuilds/${platform}-${arch}.node`,
    "!node_modules/sharp/{src,install}{,/**}",
    {
      from: join(root, "node_modules", node, "bin"),
      to: "node",
      filter: ["node", "node.exe"],
    },
  ],
  // Without a homepage there is no deb, and no page to send people to.
  extraMetadata: process.env.PACK_HOMEPAGE === undefined ? {} : { homepage: process.env.PACK_HOMEPAGE },
  // Updates are looked for only where a feed is given; see electron/updates.ts.
  publish: feed === undefined ? null : { provider: "generic", url: feed },
};
