import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { isForTarget, shippedPackages } from "../../packaging/builder.mjs";
import { checkLayout, coreEntries } from "../../packaging/layout.ts";
import { packageFolder } from "../../packaging/licences.ts";
import { entryName } from "../../packaging/process-entries.ts";
import { temporaryFolder } from "../electron/support.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string): Buffer => readFileSync(join(root, path));

/** The settings of one block of electron-builder.yml, or of its top level. */
function settings(block?: string): Record<string, string> {
  const text = read("electron-builder.yml").toString();
  const part = block === undefined ? text : (new RegExp(`^${block}:\\n((?:  .*\\n)+)`, "m").exec(text)?.[1] ?? "");
  const line = block === undefined ? /^(\w+): (.+)$/gm : /^ {2}(\w+): (.+)$/gm;
  return Object.fromEntries([...part.matchAll(line)].map(([, name = "", value = ""]) => [name, value]));
}

test("the fuses are set as the security notes say", () => {
  expect(settings("electronFuses")).toEqual({
    runAsNode: "false",
    enableCookieEncryption: "true",
    enableNodeOptionsEnvironmentVariable: "false",
    enableNodeCliInspectArguments: "false",
    enableEmbeddedAsarIntegrityValidation: "true",
    onlyLoadAppFromAsar: "true",
    loadBrowserProcessSpecificV8Snapshot: "false",
    grantFileProtocolExtraPrivileges: "false",
  });
});

test("the packed Electron is the one that the types are of", () => {
  const { devDependencies } = JSON.parse(read("package.json").toString()) as { devDependencies: { electron: string } };
  expect(settings()["electronVersion"]).toBe(devDependencies.electron);
});

test("windows and the entry in the menu have one name, and the program is called what it is", () => {
  const { productName, desktopName } = JSON.parse(read("package.json").toString()) as Record<string, string>;
  const { syncDesktopName } = settings("linux");
  expect([productName, syncDesktopName]).toEqual([settings()["productName"], "true"]);
  expect(desktopName).toBe(`${settings()["executableName"]}.desktop`);
});

test("Windows shows notices under the name that the installed shortcut has", () => {
  expect(read("electron/desktop.ts").toString()).toContain(`applicationId = "${settings()["appId"]}"`);
});

test("only native packages and what they load are shipped, and only the target's", () => {
  const lock = JSON.parse(read("package-lock.json").toString()) as Parameters<typeof shippedPackages>[0];
  const shipped = shippedPackages(lock);
  expect(shipped).toEqual(
    expect.arrayContaining(["better-sqlite3", "onnxruntime-node", "onnxruntime-common", "sharp"]),
  );
  for (const name of ["electron-updater", "commander", "adm-zip", "node-addon-api"])
    expect(shipped).not.toContain(name);
  const foreign = shipped.filter((name) => name.startsWith("@img/sharp-") && isForTarget(name, "win32", "x64"));
  expect(foreign).toEqual(["@img/sharp-win32-x64"]);
});

test("a tree without a native file, or with one of another system, is refused", () => {
  const folder = temporaryFolder();
  const elf = Buffer.from("7f454c46", "hex");
  const put = (path: string, bytes: Buffer): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  };
  const others = [
    ...coreEntries.map((name) => `dist/core/${name}.js`),
    "package.json",
    "dist/renderer/index.html",
    "dist/licences/LICENCES.txt",
    "assets/models/starter/starter.safetensors",
  ];
  for (const path of others) put(path, Buffer.from(""));
  const ort = "node_modules/onnxruntime-node/bin/napi-v6/linux/x64";
  const natives = [
    "node/node",
    "node_modules/better-sqlite3/prebuilds/linux-x64.node",
    `${ort}/onnxruntime_binding.node`,
    `${ort}/libonnxruntime.so.1`,
    "node_modules/@img/sharp-linux-x64/lib/sharp-linux-x64-0.node",
  ];
  for (const path of natives) put(path, elf);
  const target = { platform: "linux", arch: "x64" } as const;
  expect(checkLayout(folder, target)).toEqual([expect.stringContaining("sharp-libvips-linux-x64")]);
  put("node_modules/@img/sharp-libvips-linux-x64/lib/libvips-cpp.so.8", elf);
  expect(checkLayout(folder, target)).toEqual([]);
  for (const path of [...others, ...natives]) {
    const bytes = readFileSync(join(folder, path));
    rmSync(join(folder, path));
    expect(checkLayout(folder, target), path).toHaveLength(1);
    put(path, bytes);
  }
  put("node_modules/x/x.node", Buffer.from("MZ"));
  put("src/secret.ts", Buffer.from(""));
  expect(checkLayout(folder, target)).toEqual(["node_modules/x/x.node is not for linux", "src/secret.ts is of no use"]);
});

test("icons hold pictures of the sizes that they say", async () => {
  const ico = read("assets/icons/icon.ico");
  for (let index = 0; index < ico.readUInt16LE(4); index++) {
    const at = 6 + 16 * index;
    const png = ico.subarray(ico.readUInt32LE(at + 12), ico.readUInt32LE(at + 12) + ico.readUInt32LE(at + 8));
    const { width, format } = await sharp(png).metadata();
    expect([format, width]).toEqual(["png", ico.readUInt8(at) || 256]);
  }
  const icns = read("assets/icons/icon.icns");
  expect(icns.toString("latin1", 0, 4)).toBe("icns");
  expect(icns.readUInt32BE(4)).toBe(icns.length);
  const sizes: number[] = [];
  for (let at = 8; at < icns.length; at += icns.readUInt32BE(at + 4)) {
    sizes.push((await sharp(icns.subarray(at + 8, at + icns.readUInt32BE(at + 4))).metadata()).width);
  }
  expect(sizes).toEqual([16, 32, 32, 64, 128, 256, 256, 512, 512, 1024]);
});

test("every process that the core starts becomes an entry of its own", () => {
  // Each `new URL("….ts", import.meta.url)` in the core, found here by another way than the bundler's.
  const named = readdirSync(join(root, "core"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .flatMap((entry) =>
      [...readFileSync(join(entry.parentPath, entry.name), "utf8").matchAll(/URL\("([^"]+\.ts)"/g)].map(([, path]) =>
        entryName(root, resolve(entry.parentPath, path ?? "")),
      ),
    );
  // With the two that people and main start, these are all that the check of a packed tree asks for.
  expect([...new Set(named), "main.js", "cli.js"].sort()).toEqual(coreEntries.map((name) => `${name}.js`).sort());
});

test("a module belongs to the innermost package round it", () => {
  expect(packageFolder("/a/node_modules/b/node_modules/@c/d/x.js")).toBe("/a/node_modules/b/node_modules/@c/d");
  expect(packageFolder("/a/core/main.ts")).toBeNull();
});
