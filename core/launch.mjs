#!/usr/bin/env node
/**
 * The `dinoscope` command under whatever Node it was started with: runs core/cli.ts here if this Node is new enough,
 * else in the Node that ships as an optional dependency. Kept to syntax that old versions of Node can read.
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

/** The first version that runs TypeScript as it is. */
const oldest = 24;

const entry = new URL("./cli.ts", import.meta.url);

if (Number.parseInt(process.versions.node, 10) >= oldest) await import(entry.href);
else launch(shippedNode());

/** The Node that was installed beside us for this platform, or undefined. */
function shippedNode() {
  const windows = process.platform === "win32";
  const name = `node-${windows ? "win" : process.platform}-${process.arch}/bin/${windows ? "node.exe" : "node"}`;
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
}

function launch(node) {
  if (node === undefined) return refuse("none came with it for this platform");
  const child = spawn(node, [fileURLToPath(entry), ...process.argv.slice(2)], { stdio: "inherit" });
  const forward = (signal) => {
    // Windows gives Ctrl-C to every process of a console, and kill() would end the child there and then. Elsewhere a
    // Ctrl-C at a terminal arrives twice, which the command line takes for one.
    if (process.platform !== "win32") child.kill(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  child.on("error", (error) => refuse(`${node} does not start (${error.message})`));
  child.on("exit", (code, signal) => process.exit(code === null ? 128 + constants.signals[signal] : code));
}

function refuse(why) {
  const message = `Dinoscope needs Node ${oldest} or later; this is ${process.version}, and ${why}.`;
  const hint = "Install a newer one from https://nodejs.org, and start Dinoscope with it.";
  if (process.argv.includes("--json"))
    console.log(JSON.stringify({ type: "error", code: "node-too-old", message, hint }));
  else console.error(`error (node-too-old): ${message}\n  ${hint}`);
  process.exitCode = 1;
}
