import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { ViewsReport } from "./webgpu-child.ts";

// The software Vulkan driver that comes with Chromium, as in test/runtime/webgpu.test.ts.
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json";
const vulkanLoaders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
const haveSoftwareDriver =
  process.platform === "linux" &&
  existsSync(softwareDriver) &&
  vulkanLoaders.some((folder) => existsSync(`${folder}/libvulkan.so.1`));

test(
  "every node of the augmentation runs on WebGPU, and makes the CPU's views",
  { timeout: 300_000 },
  async ({ skip }) => {
    const driver = haveSoftwareDriver ? { VK_ICD_FILENAMES: softwareDriver } : {};
    const child = fileURLToPath(new URL("webgpu-child.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [child], { env: { ...driver, ...process.env } });
    const { refused, difference } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as ViewsReport;
    if (!haveSoftwareDriver && refused !== undefined) skip(`no WebGPU on this machine: ${refused}`);
    expect(refused).toBeUndefined();
    // Normalised values are up to 2.6; both compute in float32, in another order.
    expect(difference).toBeLessThan(1e-3);
  },
);
