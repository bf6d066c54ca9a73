import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { hashDistance } from "../../core/image/perceptual-hash.ts";
import { preparePicture, preparePictures } from "../../core/image/prepare.ts";
import { sharp } from "../../core/image/setup.ts";
import type { PreparedPicture } from "../../core/image/types.ts";
import { blobs, difference, from, painted, storedWithOrientation, temporaryFolder } from "./pictures.ts";

async function prepared(path: string, thumbnailSize?: number): Promise<PreparedPicture> {
  const outcome = await preparePicture(path, thumbnailSize === undefined ? {} : { thumbnailSize });
  if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.message}`);
  return outcome.value;
}

const pixelsOf = (thumbnail: Uint8Array): Promise<Uint8Array> => sharp(thumbnail).raw().toBuffer();

test("a picture is described by its content, and its thumbnail keeps the shape within the size asked for", async () => {
  const { write } = temporaryFolder();
  const bytes = await from(blobs(600, 400, 1))
    .jpeg()
    .toBuffer();
  const picture = await prepared(write("a.jpg", bytes), 120);
  expect(picture).toMatchObject({ format: "jpeg", width: 600, height: 400, byteSize: bytes.length });
  expect(picture.contentHash).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(picture.perceptualHash).toMatch(/^[0-9a-f]{16}$/);
  expect(await sharp(picture.thumbnail).metadata()).toMatchObject({
    format: "webp",
    width: 120,
    height: 80,
    channels: 3,
  });
  // Its memory can be moved to another thread, so nothing else may live in it.
  expect(picture.thumbnail.buffer.byteLength).toBe(picture.thumbnail.length);
});

test("a picture smaller than the thumbnail is not enlarged", async () => {
  const { write } = temporaryFolder();
  const picture = await prepared(
    write(
      "a.png",
      await from(blobs(30, 20, 2))
        .png()
        .toBuffer(),
    ),
  );
  expect(await sharp(picture.thumbnail).metadata()).toMatchObject({ width: 30, height: 20 });
});

test("a line of pixels has a thumbnail that is one pixel high", async () => {
  const { write } = temporaryFolder();
  const picture = await prepared(
    write(
      "a.png",
      await from(painted(5000, 2, (x) => [x % 256, 0, 0]))
        .png()
        .toBuffer(),
    ),
  );
  expect(picture).toMatchObject({ width: 5000, height: 2 });
  expect(await sharp(picture.thumbnail).metadata()).toMatchObject({ width: 256, height: 1 });
});

test.each(["png", "tiff", "webp"] as const)(
  "all eight EXIF orientations of a lossless %s give the same thumbnail and hash, bit for bit",
  async (format) => {
    const { write } = temporaryFolder();
    const upright = blobs(150, 100, 3);
    const found: { thumbnail: string; hash: string; size: string }[] = [];
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await from(storedWithOrientation(upright, orientation))
        .toFormat(format, format === "tiff" ? { compression: "deflate" } : { lossless: true })
        .withMetadata({ orientation })
        .toBuffer();
      const picture = await prepared(write(`${orientation}.${format}`, bytes));
      const { thumbnail, perceptualHash, width, height } = picture;
      found.push({
        thumbnail: Buffer.from(thumbnail).toString("hex"),
        hash: perceptualHash,
        size: `${width} x ${height}`,
      });
      expect((await sharp(thumbnail).metadata()).orientation ?? 1).toBe(1);
    }
    expect(new Set(found.map((picture) => picture.thumbnail)).size).toBe(1);
    expect(new Set(found.map((picture) => picture.hash)).size).toBe(1);
    expect(new Set(found.map((picture) => picture.size))).toEqual(new Set(["150 x 100"]));
  },
);

test("all eight EXIF orientations of a photo that is reduced give the same picture", async () => {
  const { write } = temporaryFolder();
  const upright = blobs(1203, 807, 4);
  const pictures: PreparedPicture[] = [];
  for (let orientation = 1; orientation <= 8; orientation++) {
    const bytes = await from(storedWithOrientation(upright, orientation))
      .jpeg({ quality: 95 })
      .withMetadata({ orientation })
      .toBuffer();
    pictures.push(await prepared(write(`${orientation}.jpg`, bytes)));
  }
  const first = pictures[0];
  if (first === undefined) throw new Error("Nothing was prepared.");
  for (const picture of pictures) {
    expect(picture).toMatchObject({ width: 1203, height: 807 });
    // JPEG blocks and the reduction's grid start at another corner: neighbouring levels, where a wrong turn is 20 or more.
    expect(difference(await pixelsOf(picture.thumbnail), await pixelsOf(first.thumbnail)).mean).toBeLessThan(2);
    expect(hashDistance(picture.perceptualHash, first.perceptualHash)).toBeLessThanOrEqual(1);
  }
});

test("copies that were resized, saved again or converted stay within 10 bits, other pictures do not", async () => {
  const { write } = temporaryFolder();
  const hashes: string[] = [];
  for (let seed = 10; seed < 18; seed++) {
    const original = from(blobs(480, 360, seed));
    const copies = {
      "original.png": original.clone().png(),
      "poor.jpg": original.clone().jpeg({ quality: 30 }),
      "half.jpg": original.clone().resize(240).jpeg({ quality: 80 }),
      "larger.webp": original.clone().resize(700).webp({ quality: 60 }),
      "squeezed.png": original.clone().resize(300, 300, { fit: "fill" }).png(),
      "copy.avif": original.clone().avif({ effort: 0 }),
    };
    const distances = new Map<string, number>();
    let first: string | undefined;
    for (const [name, pipeline] of Object.entries(copies)) {
      const { perceptualHash } = await prepared(write(`${seed}-${name}`, await pipeline.toBuffer()));
      first ??= perceptualHash;
      distances.set(name, hashDistance(perceptualHash, first));
    }
    expect(Math.max(...distances.values()), JSON.stringify([...distances])).toBeLessThanOrEqual(10);
    hashes.push(first ?? "");
  }
  for (const [i, a] of hashes.entries())
    for (const b of hashes.slice(0, i)) expect(hashDistance(a, b)).toBeGreaterThan(10);
});

test("outcomes of a batch come in the order of its paths, and a bad file spoils only its own", async () => {
  const { write, folder } = temporaryFolder();
  const paths: string[] = [];
  for (let i = 1; i <= 6; i++) {
    paths.push(
      write(
        `${i}.png`,
        await from(painted(10 * i, 10, () => [i, i, i]))
          .png()
          .toBuffer(),
      ),
    );
  }
  paths.splice(3, 0, `${folder}/nothing.png`);
  const outcomes = await preparePictures(paths, { parallelism: 3 });
  expect(outcomes.map((outcome) => (outcome.ok ? outcome.value.width : outcome.problem.code))).toEqual([
    10,
    20,
    30,
    "enoent",
    40,
    50,
    60,
  ]);
});
