import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, beforeEach, expect, test } from "vitest";
import type { WebGpuReport } from "./webgpu-child.ts";

// SwiftShader, the software Vulkan driver that comes with Chromium: slow, but the same provider and shaders as on a card.
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json";
const vulkanLoaders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
const haveSoftwareDriver =
  process.platform === "linux" &&
  existsSync(softwareDriver) &&
  vulkanLoaders.some((folder) => existsSync(`${folder}/libvulkan.so.1`));

let report: WebGpuReport;

beforeAll(async () => {
  const driver = haveSoftwareDriver ? { VK_ICD_FILENAMES: softwareDriver } : {};
  const child = fileURLToPath(new URL("webgpu-child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child], { env: { ...driver, ...process.env } });
  report = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as WebGpuReport;
  // Compiling shaders for a processor takes 15 seconds of one core, and more when other tests want it.
}, 300_000);

beforeEach(({ skip }) => {
  // Where a driver is known to be there, a refusal is a failure.
  if (report.refused !== undefined && !haveSoftwareDriver) skip(`no WebGPU on this machine: ${report.refused}`);
});

test("WebGPU starts wherever a driver is installed", () => {
  expect(report.refused).toBeUndefined();
});

test("every node of the transformer runs on WebGPU, and its figures are the official ones", () => {
  const errors = Object.entries(report.errors ?? {});
  // Three outputs of four sizes, and the short form.
  expect(errors).toHaveLength(13);
  // Shaders may reorder sums and approximate exp and erf; CPU and official figures agree to 1e-6.
  for (const [name, error] of errors) expect(error, name).toBeLessThan(1e-4);
});

test("outputs without official figures are the CPU's", () => {
  const errors = Object.entries(report.others ?? {});
  expect(errors).toHaveLength(8);
  for (const [name, error] of errors) expect(error, name).toBeLessThan(1e-4);
});

test("every node of a transformer's gradient runs on WebGPU, and its figures are the CPU's", () => {
  const errors = Object.entries(report.gradients ?? {});
  // Seven tensors around two blocks of fourteen.
  expect(errors).toHaveLength(7 + 2 * 14);
  // Float32 in another order, through two blocks and back.
  for (const [name, error] of errors) expect(error, name).toBeLessThan(1e-4);
});

test("every operator of losses and augmentation runs on WebGPU, and its figures are the CPU's", () => {
  const differences = Object.entries(report.operators ?? {});
  expect(differences).toHaveLength(11);
  // Shaders approximate exp, log and erf to a few float32 steps of numbers below 8.
  for (const [name, difference] of differences) expect(difference, name).toBeLessThan(4e-6);
});

test("an operator that WebGPU lacks is refused, so the check above would see one", () => {
  expect(report.lacking?.alone).toMatch(
    /could not load the graph on webgpu: .*fallback to CPU EP has been explicitly disabled/,
  );
  // The graph itself is a good one: with the CPU's help it runs.
  expect(report.lacking?.withFallback).toEqual([0, 1, 0, 0]);
});
