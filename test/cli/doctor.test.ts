import { describe, expect, test } from "vitest";
import type { DeviceReport } from "../../core/app.ts";
import { describeDevice } from "../../core/cli/doctor.ts";
import { dinoscope, objectsOf } from "../helpers/command-line.ts";

describe("a device's line", () => {
  const report: DeviceReport = {
    device: "webgpu",
    reason: null,
    imagesPerSecond: 812.4,
    gigaflopsPerSecond: 7480,
    relativeError: 2.6e-7,
  };

  test("says how fast it is, and how far from the CPU's figures", () => {
    expect(describeDevice(report)).toBe("812 images/s, 7,480 GFLOP/s; within 3e-7 of the CPU's figures");
  });

  test("does not compare the CPU with itself", () => {
    expect(describeDevice({ ...report, device: "cpu", imagesPerSecond: 15.12, relativeError: 0 })).toBe(
      "15 images/s, 7,480 GFLOP/s",
    );
  });

  test("says why it is out", () => {
    const reason = "The CUDA libraries are not installed.";
    expect(describeDevice({ ...report, reason })).toBe("no: The CUDA libraries are not installed.");
  });

  test("names a software driver for what it is", () => {
    expect(describeDevice({ ...report, imagesPerSecond: null, gigaflopsPerSecond: 0.0512 })).toBe(
      "works, but at 0.051 GFLOP/s it is far too slow: probably a software driver",
    );
  });

  test("tells that tfjs is there for tests", () => {
    const tfjs = { ...report, device: "tfjs", imagesPerSecond: null, gigaflopsPerSecond: null };
    expect(describeDevice(tfjs)).toMatch(/^works, as a second opinion for tests; it is never chosen; within 3e-7/);
  });
});

// Six processes one after another, each with a transformer: 10 s on an idle machine, more beside other tests.
test("every device gives numbers or a plain reason, and the CPU always numbers", async () => {
  const { code, stdout, stderr } = await dinoscope("doctor", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const reports = objectsOf(stdout) as unknown as readonly (DeviceReport & { type: string })[];
  expect(reports.map(({ type, device }) => `${type} ${device}`)).toEqual(
    ["cuda", "webgpu", "directml", "coreml", "cpu", "tfjs"].map((device) => `device ${device}`),
  );
  for (const { device, reason, imagesPerSecond, gigaflopsPerSecond, relativeError } of reports) {
    if (reason !== null) {
      // A sentence for people: no paths and no names of functions.
      expect(reason, device).toMatch(/^[A-Za-z][^/:]*.*\.$/);
      expect(reason, device).not.toMatch(/::|\.cc\b|\n/);
      continue;
    }
    // Float32 in another order of summation; wrong kernels are off by orders of magnitude more.
    expect(relativeError, device).toBeLessThan(1e-3);
    if (device !== "tfjs") expect(gigaflopsPerSecond, device).toBeGreaterThan(0);
    if (device === "cpu") expect(imagesPerSecond).toBeGreaterThan(0);
  }
  expect(reports.find(({ device }) => device === "cpu")?.reason).toBeNull();
}, 180_000);
