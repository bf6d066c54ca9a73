import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import { describe, expect, test, vi } from "vitest";
import { objectsOf, start, type Result, type Running } from "../helpers/command-line.ts";
import { serve } from "../helpers/download-server.ts";
import { temporaryFolder } from "../library/support.ts";

const launcher = fileURLToPath(new URL("../../core/launch.mjs", import.meta.url));

interface Claims {
  readonly node?: string;
  readonly arch?: string;
}

/** Starts the launcher in a Node that claims to be another: an old one, or one of a platform without a package. */
function startLauncher(claims: Claims, ...parameters: string[]): Running {
  const claim = join(temporaryFolder(), "claim.cjs");
  writeFileSync(
    claim,
    `const { node, arch } = ${JSON.stringify(claims)};
     if (node) Object.defineProperty(process, "versions", { value: { ...process.versions, node } });
     if (arch) Object.defineProperty(process, "arch", { value: arch });`,
  );
  return start(process.execPath, ["--require", claim, launcher, ...parameters]);
}

const launch = (...parameters: Parameters<typeof startLauncher>): Promise<Result> =>
  startLauncher(...parameters).result;

/** Whether the Node that ships for this platform is installed here; it is an optional dependency. */
const shipped = ((): boolean => {
  try {
    createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`);
    return true;
  } catch {
    return false;
  }
})();

const versionLine = /^\d+\.\d+\.\d+\n$/;

describe("the launcher", () => {
  test("runs the command line in a Node that is new enough", async () => {
    const result = await launch({}, "--version");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(versionLine);
  });

  test.runIf(shipped)("runs it in the Node that ships with it where its own is too old", async () => {
    const result = await launch({ node: "20.1.0" }, "--version");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(versionLine);
  });

  test.runIf(shipped)("hands on arguments, output and exit code", async () => {
    const library = join(temporaryFolder(), "none here");
    const result = await launch({ node: "20.1.0" }, "status", "--json", "--library", library);
    expect(result.code).toBe(1);
    expect(objectsOf(result.stdout)).toMatchObject([{ type: "error", code: "library-missing" }]);
  });

  test.runIf(shipped && process.platform !== "win32")("hands on signals, and waits for a clean end", async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, { "content-length": 10_000 });
      response.write("x".repeat(2000));
    });
    const library = join(temporaryFolder(), "library");
    const download = ["models", "download", "dino-vits16", "--base-url", server.url, "--library", library];
    const { child, result } = startLauncher({ node: "20.1.0" }, ...download);
    await vi.waitUntil(() => server.asked.length > 0, { timeout: 20_000 });
    child.kill("SIGINT");
    const { code, stderr } = await result;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^Stopping; .*\nStopped\.\n/);
  });

  test("says what to do where there is no Node to run it", async () => {
    const people = await launch({ node: "20.1.0", arch: "mips" }, "status");
    expect(people).toMatchObject({ code: 1, stdout: "" });
    expect(people.stderr).toMatch(/^error \(node-too-old\): Dinoscope needs Node 24 or later; .*\n {2}Install /);
    const script = await launch({ node: "20.1.0", arch: "mips" }, "status", "--json");
    expect(objectsOf(script.stdout)).toMatchObject([{ type: "error", code: "node-too-old" }]);
  });
});
