import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, beforeEach, expect, test } from "vitest";
import type { WebGpuTraining } from "./webgpu-child.ts";

// SwiftShader, the software Vulkan driver that comes with Chromium, as in test/runtime/webgpu.test.ts.
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json";
const vulkanLoaders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
const haveSoftwareDriver =
  process.platform === "linux" &&
  existsSync(softwareDriver) &&
  vulkanLoaders.some((folder) => existsSync(`${folder}/libvulkan.so.1`));

let report: WebGpuTraining;

beforeAll(async () => {
  const driver = haveSoftwareDriver ? { VK_ICD_FILENAMES: softwareDriver } : {};
  const child = fileURLToPath(new URL("webgpu-child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child], { env: { ...driver, ...process.env } });
  report = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as WebGpuTraining;
  // Compiling shaders for a processor takes 15 seconds of one core, and more when other tests want it.
}, 300_000);

beforeEach(({ skip }) => {
  // Where a driver is known to be there, a refusal is a failure: of the driver, or of a node that the device lacks.
  if (report.refused !== undefined && !haveSoftwareDriver) skip(`no WebGPU on this machine: ${report.refused}`);
});

test("every node of a training step runs on WebGPU, and the step is the official one", () => {
  expect(report.refused).toBeUndefined();
  // Shaders may reorder sums and approximate exp and erf.
  expect(report.errors?.loss).toBeLessThan(1e-3);
  const errors = Object.entries(report.errors?.tensors ?? {});
  expect(errors.length).toBeGreaterThan(0);
  for (const [name, error] of errors) expect(error, name).toBeLessThan(1e-3);
});

test("the graphs of a whole run do too, from pictures to weights, with micro-batches added up", () => {
  const { webgpu = [], cpu = [] } = report.wholeLosses ?? {};
  expect(webgpu).toHaveLength(2);
  webgpu.forEach((loss, i) => expect(Math.abs(loss / (cpu[i] ?? NaN) - 1)).toBeLessThan(1e-3));
});

test("a second step goes on from the tensors that stayed on the device", () => {
  const { webgpu = [], cpu = [] } = report.losses ?? {};
  expect(webgpu).toHaveLength(2);
  webgpu.forEach((loss, i) => expect(Math.abs(loss / (cpu[i] ?? NaN) - 1)).toBeLessThan(1e-3));
});
