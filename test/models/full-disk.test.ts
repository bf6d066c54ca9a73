import { readFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { download } from "../../core/jobs/download.ts";
import { sendFile, serve } from "../helpers/download-server.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryFolder } from "../library/support.ts";

/** Room on the pretended disk. */
let free = 0;

// A disk that fills up writes what still fits, and refuses the next write.
vi.mock(import("node:fs/promises"), async (original) => {
  const real = await original();
  const limited = (handle: FileHandle): FileHandle => {
    const write = handle.write.bind(handle) as (
      bytes: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ) => Promise<{ bytesWritten: number; buffer: Uint8Array }>;
    handle.write = (async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      if (free === 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      const written = await write(bytes, offset, Math.min(length, free), position);
      free -= written.bytesWritten;
      return written;
    }) as FileHandle["write"];
    return handle;
  };
  return { ...real, open: async (...parameters) => limited(await real.open(...parameters)) };
});

test("a full disk is called that; with room again the transfer goes on where it was", async () => {
  const body = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => (i * i) >> 3));
  const { url, asked } = await serve((request, response) => sendFile(request, response, { body, etag: '"one"' }));
  const file = join(temporaryFolder(), "weights.pth");
  const fetch = (): Promise<string> =>
    download({
      url: new URL("weights.pth", url),
      file,
      maxBytes: 1_000_000,
      sha256: null,
      signal: new AbortController().signal,
      onProgress: () => {},
    });
  free = 12_345;
  expect(await refusalOfAsync(fetch)).toBe(`disk-full: The disk is full: ${file} could not be written to its end.`);
  expect(readFileSync(`${file}.part`).equals(body.subarray(0, 12_345))).toBe(true);
  free = Infinity;
  await fetch();
  expect(readFileSync(file).equals(body)).toBe(true);
  expect(asked[1]?.headers.range).toBe("bytes=12345-");
});
