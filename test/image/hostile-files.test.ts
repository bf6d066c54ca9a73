import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { checkHeader, defaultLimits } from "../../core/image/limits.ts";
import { decodeForModel } from "../../core/image/model-input.ts";
import { preparePicture } from "../../core/image/prepare.ts";
import { sharp } from "../../core/image/setup.ts";
import type { PictureLimits, PictureProblem } from "../../core/image/types.ts";
import { refusalOf, refusalOfAsync } from "../helpers/refusal.ts";
import { blobs, from, painted, temporaryFolder } from "./pictures.ts";

const posix = process.platform !== "win32";

/** The problem of a file, after checking that the way to the model refuses it with the same words. */
async function problemOf(path: string, limits: PictureLimits = defaultLimits): Promise<PictureProblem> {
  const outcome = await preparePicture(path, { limits });
  if (outcome.ok) throw new Error("Nothing was refused.");
  const { problem } = outcome;
  expect(await refusalOfAsync(() => decodeForModel(path, { limits }))).toBe(`${problem.code}: ${problem.message}`);
  return problem;
}

const sentence = ({ code, message }: PictureProblem): string => `${code}: ${message}`;

function pngChunk(type: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length);
  head.write(type, 4, "latin1");
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(Buffer.concat([head.subarray(4), body])));
  return Buffer.concat([head, body, check]);
}

/** A PNG of 77 bytes that declares any size. */
function pngOfDeclaredSize(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8-bit RGB, not interlaced
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([
    signature,
    pngChunk("IHDR", header),
    pngChunk("IDAT", Buffer.from("789c63000000010001", "hex")),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

describe("what is not a regular file is refused without being opened for long:", () => {
  test("a folder, even one that is called like a picture", async () => {
    const path = join(temporaryFolder().folder, "holiday.jpg");
    mkdirSync(path);
    expect(sentence(await problemOf(path))).toMatch(/^file-not-regular: .*a folder/);
  });

  test.runIf(posix)("a named pipe that nobody writes to", async () => {
    const path = join(temporaryFolder().folder, "pipe.jpg");
    execFileSync("mkfifo", [path]);
    expect(sentence(await problemOf(path))).toMatch(/^file-not-regular: .*pipe/);
  });

  test.runIf(posix)("a device without an end, behind a link", async () => {
    const path = join(temporaryFolder().folder, "zero.jpg");
    symlinkSync("/dev/zero", path);
    expect(sentence(await problemOf(path))).toMatch(/^file-not-regular: .*a device/);
  });

  test("a file that is not there", async () => {
    expect(await problemOf(join(temporaryFolder().folder, "gone.jpg"))).toMatchObject({ code: "enoent" });
  });

  test.runIf(posix)("a link that leads back to itself", async () => {
    const path = join(temporaryFolder().folder, "loop.jpg");
    symlinkSync(path, path);
    expect(await problemOf(path)).toMatchObject({ code: "eloop" });
  });

  // The superuser may read everything.
  test.runIf(posix && process.getuid?.() !== 0)("a file without permission", async () => {
    const path = temporaryFolder().write("secret.jpg", "x");
    chmodSync(path, 0);
    expect(await problemOf(path)).toMatchObject({ code: "eacces" });
  });

  test("a path that no file can have", async () => {
    expect((await problemOf("a\0b.jpg")).code).toMatch(/^[a-z-]+$/);
  });
});

describe("the bytes decide, not the name:", () => {
  test("a JPEG called .png is a JPEG", async () => {
    const bytes = await from(blobs(40, 30, 1))
      .jpeg()
      .toBuffer();
    const outcome = await preparePicture(temporaryFolder().write("a.png", bytes));
    expect(outcome).toMatchObject({ ok: true, value: { format: "jpeg" } });
  });

  test("an SVG called .png is refused by name, and libvips has no way to its loader", async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    );
    const problem = await problemOf(temporaryFolder().write("a.png", svg));
    expect(sentence(problem)).toMatch(/^picture-format: .*an SVG drawing/);
    expect(problem.contentHash).toMatch(/^[0-9a-f]{64}$/);
    await expect(sharp(svg).metadata()).rejects.toThrow();
  });

  test("no loader can open a file by itself, not even of an allowed format", async () => {
    const path = temporaryFolder().write(
      "a.jpg",
      await from(blobs(40, 30, 1))
        .jpeg()
        .toBuffer(),
    );
    await expect(sharp(path).metadata()).rejects.toThrow();
  });

  test.each([
    ["", "an empty file"],
    ["These are words.", "text"],
    ["%PDF-1.4\n", "a PDF document"],
    ["BM\x36\x10\0\0\0\0\0\0\x36\0\0\0", "a BMP picture"],
  ])("%j is refused as what it is", async (content, found) => {
    const problem = await problemOf(temporaryFolder().write("a.jpg", content));
    expect(sentence(problem)).toMatch(new RegExp(`^picture-format: .*this is ${found}\\.$`));
    expect(problem.message).toContain("JPEG, PNG, WebP, AVIF, GIF or TIFF");
  });

  test.each(["été – 写真.jpg", "🦕 🦖.jpg", "%20 'quote\" #?.jpg", "-n.jpg"].concat(posix ? ["two\nlines.jpg"] : []))(
    "%j is a name like any other",
    async (name) => {
      const { write } = temporaryFolder();
      // Windows forbids some of these characters.
      const path = write(
        posix ? name : name.replace(/["?]/g, ""),
        await from(blobs(40, 30, 1))
          .png()
          .toBuffer(),
      );
      expect(await preparePicture(path)).toMatchObject({ ok: true });
    },
  );
});

describe("limits hold before memory is taken:", () => {
  test("a file of too many bytes is not read", async () => {
    const path = temporaryFolder().write("a.jpg", "");
    truncateSync(path, 2 ** 40); // a hole in the file system: a terabyte that takes no room
    expect(await problemOf(path)).toMatchObject({
      code: "picture-too-large",
      message: "The file has 1048576 MB; up to 256 MB are taken in.",
    });
  });

  test("a PNG that declares 60,000 x 60,000 pixels is not decoded", async () => {
    const before = process.resourceUsage().maxRSS;
    const problem = await problemOf(temporaryFolder().write("bomb.png", pngOfDeclaredSize(60_000, 60_000)));
    expect(sentence(problem)).toMatch(/^picture-too-large: .*60000 x 60000/);
    expect(problem.contentHash).toMatch(/^[0-9a-f]{64}$/);
    // In kilobytes. The picture would be 10.8 GB, a single row of it 180 kB.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100_000);
  });

  test("the limit is on pixels, exactly", async () => {
    const path = temporaryFolder().write(
      "a.png",
      await from(blobs(40, 30, 1))
        .png()
        .toBuffer(),
    );
    expect(await preparePicture(path, { limits: { ...defaultLimits, maxPixels: 1200 } })).toMatchObject({ ok: true });
    expect(await problemOf(path, { ...defaultLimits, maxPixels: 1199 })).toMatchObject({ code: "picture-too-large" });
  });

  test("a picture within the pixels is refused where its decoder would take gigabytes", () => {
    const header = { width: 14_000, height: 14_000, channels: 3, depth: "uchar", isProgressive: false } as const;
    expect(() => checkHeader("jpeg", header, defaultLimits)).not.toThrow();
    expect(refusalOf(() => checkHeader("avif", header, defaultLimits))).toMatch(/^picture-too-large: .*3\.3 GB/);
  });

  test("a picture that takes too long is given up, and the next one is decoded", async () => {
    const { write } = temporaryFolder();
    const slow = write(
      "slow.png",
      await from(painted(3000, 3000, (x, y) => [x, y, x * y]))
        .png()
        .toBuffer(),
    );
    const outcome = await preparePicture(slow, { limits: { ...defaultLimits, timeoutSeconds: 0.002 } });
    expect(outcome).toMatchObject({ ok: false, problem: { code: "picture-timeout" } });
    expect(await preparePicture(slow)).toMatchObject({ ok: true });
  });
});

describe("a picture that is not whole is refused rather than taken in with a grey rest:", () => {
  test.each(["jpeg", "png", "webp", "gif", "tiff", "avif"] as const)(
    "a %s that is cut in the middle",
    async (format) => {
      const bytes = await from(blobs(300, 200, 6))
        .toFormat(format)
        .toBuffer();
      const problem = await problemOf(temporaryFolder().write("a", bytes.subarray(0, bytes.length / 2)));
      expect(problem.code).toBe("picture-broken");
      expect(problem.hint).toContain("Copy it again");
      expect(problem.contentHash).toMatch(/^[0-9a-f]{64}$/);
    },
  );

  test("a PNG with damaged data", async () => {
    const bytes = await from(blobs(300, 200, 6))
      .png()
      .toBuffer();
    bytes.fill(0, bytes.length >> 1, (bytes.length >> 1) + 2000);
    expect(await problemOf(temporaryFolder().write("a.png", bytes))).toMatchObject({ code: "picture-broken" });
  });

  test("a header and nothing else", async () => {
    const path = temporaryFolder().write("a.jpg", Buffer.from("\xff\xd8\xff\xe0\0\x10JFIF", "latin1"));
    expect(await problemOf(path)).toMatchObject({ code: "picture-broken" });
  });

  test("bytes behind the end of a picture do no harm", async () => {
    const bytes = await from(blobs(300, 200, 6))
      .jpeg()
      .toBuffer();
    const path = temporaryFolder().write("a.jpg", Buffer.concat([bytes, Buffer.alloc(500, 7)]));
    expect(await preparePicture(path)).toMatchObject({ ok: true });
  });
});
