import { expect, test } from "vitest";
import { exportFormatNames } from "../../core/rpc/job-parameters.ts";
import {
  familyOf,
  folderName,
  formatFamilies,
  pathIn,
  sharesOf,
  withShare,
} from "../../renderer/lib/export-formats.ts";

test("every format of the core can be chosen, once", () => {
  const offered = formatFamilies.flatMap(({ kinds }) => kinds.map(({ format }) => format));
  expect([...offered].sort()).toEqual([...exportFormatNames].sort());
  for (const format of exportFormatNames) expect(familyOf(format).kind.format).toBe(format);
});

test("shares always add up to everything", () => {
  let shares = { train: 80, val: 10 };
  shares = withShare(shares, "val", 35);
  expect(shares).toEqual({ train: 65, val: 35 });
  shares = withShare(shares, "train", NaN);
  for (const percent of [-4, 0, 17, 99.6, 250]) {
    shares = withShare(shares, "train", percent);
    const [train, val, test] = sharesOf(shares);
    expect(train + val + test).toBeCloseTo(1, 12);
    expect(Math.min(train, val, test)).toBeGreaterThanOrEqual(0);
  }
});

test("the name of a folder has no sign that a system refuses, and its path the slash of its folder", () => {
  expect(folderName('Milk: "2026/11"?', "coco")).toBe("Milk 2026 11 coco");
  expect(folderName("", "csv")).toBe("export csv");
  expect(pathIn("/home/me", "out")).toBe("/home/me/out");
  expect(pathIn("/", "out")).toBe("/out");
  expect(pathIn("C:\\Users\\me", "out")).toBe("C:\\Users\\me\\out");
});
