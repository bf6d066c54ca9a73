import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";

const project = fileURLToPath(new URL("../..", import.meta.url));
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

interface Report {
  readonly backend?: string;
  readonly refused?: readonly { backend: string; reason: string }[];
  readonly error?: { code: string; message: string; hint?: string };
  readonly listeners: number;
}

/**
 * What createTfjsRuntime says in a process of its own where of tfjs' packages only `installed` exist: the real ones by
 * link, others with the source given.
 */
async function tryTfjs(
  installed: readonly string[],
  made: Readonly<Record<string, string>> = {},
  backend?: string,
): Promise<Report & { printed: string }> {
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), "dinoscope-tfjs-")));
  folders.push(folder);
  for (const room of ["graph", "runtime", "util"]) {
    await cp(path.join(project, "core", room), path.join(folder, "core", room), { recursive: true });
  }
  const scope = path.join(folder, "node_modules", "@tensorflow");
  await mkdir(scope, { recursive: true });
  for (const name of installed) {
    await symlink(path.join(project, "node_modules/@tensorflow", name), path.join(scope, name), "junction");
  }
  for (const [name, source] of Object.entries(made)) {
    await mkdir(path.join(scope, name));
    await writeFile(path.join(scope, name, "index.js"), source);
  }
  await writeFile(path.join(folder, "package.json"), `{ "type": "module" }`);
  await writeFile(
    path.join(folder, "main.ts"),
    `import { createTfjsRuntime } from "./core/runtime/tfjs.ts";
     let report;
     try {
       const { backend, refused } = await createTfjsRuntime(${JSON.stringify(backend)});
       report = { backend, refused };
     } catch (error) {
       report = { error: { code: error.code, message: error.message, hint: error.hint } };
     }
     const listeners = process.listenerCount("uncaughtException") + process.listenerCount("unhandledRejection");
     console.log(JSON.stringify({ ...report, listeners }));`,
  );
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["main.ts"], { cwd: folder });
  return { ...(JSON.parse(stdout) as Report), printed: stderr };
}

const notInstalled = (name: string): string => `@tensorflow/${name} is not installed.`;

test("without tfjs-node it is wasm, which says so and leaves the process as it was", async () => {
  expect(await tryTfjs(["tfjs-core", "tfjs-backend-wasm", "tfjs-backend-cpu"])).toEqual({
    backend: "wasm",
    refused: [{ backend: "tensorflow", reason: notInstalled("tfjs-node") }],
    // Its start-up code would have it end the process on errors that others mean to handle.
    listeners: 0,
    // Nor does tfjs advertise tfjs-node.
    printed: "",
  });
});

test("without wasm it is the plain backend", async () => {
  expect(await tryTfjs(["tfjs-core", "tfjs-backend-cpu"])).toMatchObject({
    backend: "cpu",
    refused: [
      { backend: "tensorflow", reason: notInstalled("tfjs-node") },
      { backend: "wasm", reason: notInstalled("tfjs-backend-wasm") },
    ],
  });
});

test("without any backend it is refused with every reason and what to install", async () => {
  const { error } = await tryTfjs(["tfjs-core"]);
  expect(error).toEqual({
    code: "device-refused",
    message:
      "No backend of TensorFlow.js works here. tensorflow: @tensorflow/tfjs-node is not installed. " +
      "wasm: @tensorflow/tfjs-backend-wasm is not installed. cpu: @tensorflow/tfjs-backend-cpu is not installed.",
    hint: "Install one with: npm install @tensorflow/tfjs-backend-wasm",
  });
});

test("without tfjs itself it is refused", async () => {
  const { error } = await tryTfjs([]);
  expect(error).toEqual({ code: "device-refused", message: notInstalled("tfjs-core") });
});

test("a backend asked for by name is the only one tried", async () => {
  const { backend, refused, error } = await tryTfjs(["tfjs-core", "tfjs-backend-cpu"], {}, "cpu");
  expect({ backend, refused, error }).toEqual({ backend: "cpu", refused: [], error: undefined });
  expect((await tryTfjs(["tfjs-core", "tfjs-backend-cpu"], {}, "wasm")).error?.message).toBe(
    "No backend of TensorFlow.js works here. wasm: @tensorflow/tfjs-backend-wasm is not installed.",
  );
});

test("a package that is there and does not load keeps its own words", async () => {
  const { backend, refused } = await tryTfjs(["tfjs-core", "tfjs-backend-cpu"], {
    "tfjs-node": `throw new Error("The library was built for another machine.\\nRequire stack:");`,
    "tfjs-backend-wasm": `require("a-package-of-its-own");`,
  });
  expect(backend).toBe("cpu");
  expect(refused?.map(({ reason }) => reason)).toEqual([
    "@tensorflow/tfjs-node is installed but does not load: The library was built for another machine.",
    "@tensorflow/tfjs-backend-wasm is installed but does not load: Cannot find module 'a-package-of-its-own'",
  ]);
});

/** A tfjs-node that registers its backend and whose every operator is `kernel`. */
const madeNode = (kernel: string): Record<string, string> => ({
  "tfjs-node": `const tf = require("@tensorflow/tfjs-core");
    class Backend extends tf.KernelBackend {
      nextId = 0;
      numDataIds() { return 0; }
      refCount() { return 1; }
      incRef() {}
      disposeData() { return true; }
      write() { return { id: this.nextId++ }; }
      move() {}
      readSync() { return new Float32Array(2); }
      dispose() {}
    }
    tf.registerBackend("tensorflow", () => new Backend());
    for (const kernelName of Object.values(tf).filter((name) => typeof name === "string")) {
      tf.registerKernel({ kernelName, backendName: "tensorflow", kernelFunc: ${kernel} });
    }`,
});

test("a backend that loads and fails in its first operator is passed over, like tfjs-node on Node 23 and later", async () => {
  const { backend, refused } = await tryTfjs(
    ["tfjs-core", "tfjs-backend-wasm", "tfjs-backend-cpu"],
    madeNode(`() => { throw new TypeError("(0 , util_1.isNullOrUndefined) is not a function"); }`),
  );
  expect(backend).toBe("wasm");
  expect(refused).toEqual([{ backend: "tensorflow", reason: "(0 , util_1.isNullOrUndefined) is not a function" }]);
});

test("a backend that computes wrong numbers is passed over", async () => {
  const shape = `inputs.a?.shape ?? inputs.x?.shape ?? [2, 2]`;
  const kernel = `({ inputs, attrs, backend }) => {
    const result = (dims, dtype = "float32") => ({ dataId: backend.write(), shape: dims, dtype });
    return attrs?.k === undefined ? result(${shape}) : [result([2, 1]), result([2, 1], "int32")];
  }`;
  const { backend, refused } = await tryTfjs(["tfjs-core", "tfjs-backend-wasm", "tfjs-backend-cpu"], madeNode(kernel));
  expect(backend).toBe("wasm");
  expect(refused).toEqual([{ backend: "tensorflow", reason: "It computes wrong numbers." }]);
});
