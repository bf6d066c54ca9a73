/**
 * Gathers the licences of everything that is shipped into dist/licences/LICENCES.txt: `npm run licences`. What the
 * bundles hold is asked of the bundler itself; native packages and what they load come from the lock file.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build, type Plugin } from "vite";
import { shippedPackages } from "./builder.mjs";

const root = resolve(import.meta.dirname, "..");

/** Licences that allow to ship a package with ours, as they are. libvips is a library of its own that can be exchanged. */
const accepted =
  /^\(?(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|BlueOak-1\.0\.0|Python-2\.0|LGPL-3\.0-or-later|CC0-1\.0|Unlicense)( (AND|OR) [\w.-]+)*\)?$/;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
}

/** The folders of packages that a bundle has modules of. */
async function bundledPackages(configFile: string): Promise<string[]> {
  const folders = new Set<string>();
  const collect: Plugin = {
    name: "collect-packages",
    generateBundle: (_options, bundle) => {
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        for (const id of file.moduleIds) {
          const folder = packageFolder(id.replace(/^\0/, ""));
          if (folder !== null) folders.add(folder);
        }
      }
    },
  };
  await build({
    configFile: join(root, configFile),
    logLevel: "error",
    plugins: [collect],
    build: { write: false },
  });
  return [...folders];
}

/** The folder of the package that a module is of; null for our own. */
export function packageFolder(module: string): string | null {
  return /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(module.replaceAll("\\", "/"))?.[0] ?? null;
}

function licenceOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  const { name, version, author } = manifest;
  const texts = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice|third-party-notices)/i.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  // Some packages hold the text and forget the field.
  const license = manifest.license ?? (/^(The )?MIT License/i.test(texts[0] ?? "") ? "MIT" : "unknown");
  if (!accepted.test(license)) throw new Error(`${name} has the licence ${license}, which is not among the accepted.`);
  const by = typeof author === "string" ? author : author?.name;
  const fallback = `Published under ${license}${by === undefined ? "" : ` by ${by}`}; the package holds no text of it.`;
  return `${name} ${version} (${license})\n\n${texts.length === 0 ? fallback : texts.join("\n\n")}`;
}

/** The licence file of a program that is no package of ours: Node and Electron. */
function programLicence(name: string, file: string): string {
  return `${name}\n\n${readFileSync(file, "utf8").trim()}`;
}

if (import.meta.main) {
  const configs = [
    "vite.config.ts",
    "packaging/core.config.ts",
    "packaging/main.config.ts",
    "packaging/preload.config.ts",
  ];
  const folders = new Set<string>();
  for (const config of configs) for (const folder of await bundledPackages(config)) folders.add(folder);
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Parameters<
    typeof shippedPackages
  >[0];
  for (const name of shippedPackages(lock)) {
    // Packages of other platforms are not installed; theirs are the same as this platform's.
    const folder = join(root, "node_modules", name);
    if (existsSync(folder)) folders.add(folder);
  }
  const node = join(dirname(dirname(process.execPath)), "LICENSE");
  const texts = [
    programLicence(
      `Electron ${readManifest("electron").version} (MIT); Chromium's are in LICENSES.chromium.html`,
      join(root, "node_modules/electron/LICENSE"),
    ),
    programLicence(`Node ${process.versions.node}`, node),
    ...[...folders].sort().map(licenceOf),
  ];
  const rule = `\n\n${"=".repeat(80)}\n\n`;
  const head = "Dinoscope is made with the work of others. These are their licences.";
  mkdirSync(join(root, "dist/licences"), { recursive: true });
  writeFileSync(join(root, "dist/licences/LICENCES.txt"), `${[head, ...texts].join(rule)}\n`);
  console.log(`dist/licences/LICENCES.txt: ${texts.length} licences`);
}

function readManifest(name: string): Manifest {
  return JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")) as Manifest;
}
