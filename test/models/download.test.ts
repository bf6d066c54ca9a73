import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { download, type DownloadOptions } from "../../core/jobs/download.ts";
import { createRandom } from "../../core/util/random.ts";
import { sendFile, serve, type Handler } from "../helpers/download-server.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryFolder } from "../library/support.ts";

/** 300 kB that compress badly: several packets. */
const bytesOf = (seed: number): Buffer => {
  const random = createRandom(seed);
  return Buffer.from(Uint8Array.from({ length: 300_000 }, () => random.integer(256)));
};
const body = bytesOf(1);
const sha256 = createHash("sha256").update(body).digest("hex");

interface Transfer {
  readonly file: string;
  readonly asked: Awaited<ReturnType<typeof serve>>["asked"];
  /** Downloads to the same file, again and again. */
  readonly fetch: (changes?: Partial<DownloadOptions>) => Promise<string>;
}

/** A server that may look at the part that has arrived. */
type Answer = (...[request, response, part]: [...Parameters<Handler>, part: string]) => void;

async function transferFrom(answer: Answer): Promise<Transfer> {
  const file = join(temporaryFolder(), "downloads", "weights.pth");
  const { url, asked } = await serve((request, response) => answer(request, response, `${file}.part`));
  const options: DownloadOptions = {
    url: new URL("weights.pth", url),
    file,
    maxBytes: 1_000_000,
    sha256: null,
    signal: new AbortController().signal,
    onProgress: () => {},
  };
  return { file, asked, fetch: (changes = {}) => download({ ...options, ...changes }) };
}

/** Bytes of the part that a broken transfer left. */
const partOf = (file: string): Buffer => readFileSync(`${file}.part`);

/** Expects the whole file and nothing beside it. */
function expectWhole(file: string, expected = body): void {
  expect(readFileSync(file).equals(expected)).toBe(true);
  expect([existsSync(`${file}.part`), existsSync(`${file}.part.etag`)]).toEqual([false, false]);
}

/** Breaks the first answer after 100 kB; what follows is up to `then`. */
function breakingOnce(then: Answer, etag = '"one"'): Answer {
  let broken = false;
  return (request, response, part) => {
    if (broken) then(request, response, part);
    else sendFile(request, response, { body, ...(etag === "" ? {} : { etag }) }, { after: 100_000, part });
    broken = true;
  };
}

describe("a whole transfer", () => {
  test("gives the file and its hash, and asks for nothing packed", async () => {
    const { file, asked, fetch } = await transferFrom((request, response) => sendFile(request, response, { body }));
    const seen: [number, number][] = [];
    expect(await fetch({ sha256: sha256.toUpperCase(), onProgress: (...progress) => seen.push(progress) })).toBe(
      sha256,
    );
    expectWhole(file);
    expect(asked).toMatchObject([{ path: "/weights.pth", headers: { "accept-encoding": "identity" } }]);
    expect(asked[0]?.headers.range).toBeUndefined();
    expect(seen[0]).toEqual([0, body.length]);
    expect(seen.at(-1)).toEqual([body.length, body.length]);
  });

  test("needs no length, and follows a redirect", async () => {
    const { file, asked, fetch } = await transferFrom((request, response) => {
      if (request.url === "/weights.pth") response.writeHead(302, { location: "/moved/here" }).end();
      else response.writeHead(200).end(body);
    });
    expect(await fetch()).toBe(sha256);
    expectWhole(file);
    expect(asked.map(({ path }) => path)).toEqual(["/weights.pth", "/moved/here"]);
  });
});

describe("a broken transfer", () => {
  test("goes on where it was: only the rest is asked for and sent", async () => {
    const { file, asked, fetch } = await transferFrom(
      breakingOnce((request, response) => sendFile(request, response, { body, etag: '"one"' })),
    );
    expect(await refusalOfAsync(fetch)).toMatch(/^download-broken: .* broke after 100000 bytes\.$/);
    expect(existsSync(file)).toBe(false);
    expect(partOf(file).equals(body.subarray(0, 100_000))).toBe(true);
    const seen: number[] = [];
    expect(await fetch({ sha256, onProgress: (done) => seen.push(done) })).toBe(sha256);
    expectWhole(file);
    expect(asked[1]?.headers).toMatchObject({ range: "bytes=100000-", "if-range": '"one"' });
    expect(seen[0]).toBe(100_000);
  });

  test("that ends early without an error is found out by its length", async () => {
    const { fetch, file } = await transferFrom((_, response) => {
      response.writeHead(200, { "content-length": 1000, etag: '"one"' });
      response.flushHeaders();
      response.socket?.end("short");
    });
    expect(await refusalOfAsync(fetch)).toMatch(/^download-broken: /);
    expect(existsSync(file)).toBe(false);
  });

  test("starts over where the server knows no ranges", async () => {
    const { file, asked, fetch } = await transferFrom(
      breakingOnce((_, response) => response.writeHead(200, { "content-length": body.length }).end(body)),
    );
    await refusalOfAsync(fetch);
    expect(await fetch()).toBe(sha256);
    expectWhole(file);
    expect(asked[1]?.headers.range).toBe("bytes=100000-");
  });

  test("starts over where the file has changed since", async () => {
    const changed = bytesOf(2);
    const { file, fetch } = await transferFrom(
      breakingOnce((request, response) => sendFile(request, response, { body: changed, etag: '"two"' })),
    );
    await refusalOfAsync(fetch);
    expect(await fetch()).toBe(createHash("sha256").update(changed).digest("hex"));
    expectWhole(file, changed);
  });

  test("never joins the halves of two files, wherever it breaks", async () => {
    const changed = bytesOf(2);
    let breaks = true;
    const { file, fetch } = await transferFrom(
      // The first file breaks, the second breaks sooner, and then is sent whole.
      breakingOnce((request, response, part) => {
        sendFile(request, response, { body: changed, etag: '"two"' }, breaks ? { after: 50_000, part } : undefined);
        breaks = false;
      }),
    );
    await refusalOfAsync(fetch);
    await refusalOfAsync(fetch);
    expect(partOf(file).equals(changed.subarray(0, 50_000))).toBe(true);
    await fetch();
    expectWhole(file, changed);
  });

  test.each([
    ["a weak tag, which does not promise the same bytes", 'W/"one"'],
    ["no tag", ""],
  ])("starts over with %s", async (_, etag) => {
    const { file, asked, fetch } = await transferFrom(
      breakingOnce((request, response) => sendFile(request, response, { body }), etag),
    );
    await refusalOfAsync(fetch);
    expect(await fetch()).toBe(sha256);
    expectWhole(file);
    expect(asked[1]?.headers.range).toBeUndefined();
  });

  test("starts over when there is nothing behind what has come", async () => {
    const shorter = body.subarray(0, 50_000);
    const { file, asked, fetch } = await transferFrom(
      breakingOnce((request, response) => sendFile(request, response, { body: shorter, etag: '"one"' })),
    );
    await refusalOfAsync(fetch);
    await fetch();
    expectWhole(file, shorter);
    expect(asked.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=100000-", undefined]);
  });

  test("refuses another part than it asked for, and starts over the next time", async () => {
    let lies = true;
    const { file, fetch } = await transferFrom(
      breakingOnce((request, response) => {
        if (lies) response.writeHead(206, { etag: '"one"', "content-range": "bytes 5-9/300000" }).end("wrong");
        else sendFile(request, response, { body, etag: '"one"' });
        lies = false;
      }),
    );
    await refusalOfAsync(fetch);
    expect(await refusalOfAsync(fetch)).toMatch(/^download-broken: .* sent another part /);
    await fetch();
    expectWhole(file);
  });
});

describe("a stop", () => {
  test("keeps what has come, and the next call goes on there", async () => {
    const controller = new AbortController();
    const reason = new Error("stopped by hand");
    const { file, asked, fetch } = await transferFrom((request, response) => {
      if (request.headers.range !== undefined) return sendFile(request, response, { body, etag: '"one"' });
      response.writeHead(200, { "content-length": body.length, etag: '"one"' });
      response.write(body.subarray(0, 70_000));
    });
    const stopping = fetch({
      signal: controller.signal,
      onProgress: (done) => {
        if (done === 70_000) controller.abort(reason);
      },
    });
    await expect(stopping).rejects.toBe(reason);
    expect(existsSync(file)).toBe(false);
    expect(await fetch()).toBe(sha256);
    expectWhole(file);
    expect(asked[1]?.headers.range).toBe("bytes=70000-");
  });

  test("before the start asks nobody", async () => {
    const { asked, fetch } = await transferFrom((_, response) => response.end());
    await expect(fetch({ signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    expect(asked).toEqual([]);
  });
});

describe("what is refused", () => {
  test("a file that says it is larger than expected, before a byte of it is kept", async () => {
    const { file, fetch } = await transferFrom((_, response) => {
      response.writeHead(200, { "content-length": 1_000_001 });
      response.write("x");
    });
    expect(await refusalOfAsync(fetch)).toMatch(/^download-too-large: .* has 1000001 bytes or more/);
    expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, false]);
  });

  test("a stream without a length that goes on and on, at the limit", async () => {
    let sent = 0;
    const { file, fetch } = await transferFrom((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        sent += 65_536;
        if (!response.destroyed) response.write(Buffer.alloc(65_536), more);
      };
      more();
    });
    expect(await refusalOfAsync(() => fetch({ maxBytes: 200_000 }))).toMatch(/^download-too-large: /);
    expect(partOf(file).length).toBeLessThanOrEqual(200_000);
    expect(existsSync(file)).toBe(false);
    // The connection is given up, so the server cannot send for ever.
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(sent - before).toBeLessThan(50_000_000);
  });

  test("a file with another hash, of which nothing stays", async () => {
    const { file, fetch } = await transferFrom((request, response) =>
      sendFile(request, response, { body, etag: '"one"' }),
    );
    expect(await refusalOfAsync(() => fetch({ sha256: "0".repeat(64) }))).toBe(
      `download-hash: Wanted a file with SHA-256 ${"0".repeat(64)}, got ${sha256}.`,
    );
    expect([existsSync(file), existsSync(`${file}.part`), existsSync(`${file}.part.etag`)]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test.each([404, 500, 304])("an answer of %i", async (status) => {
    const { fetch } = await transferFrom((_, response) => response.writeHead(status).end());
    expect(await refusalOfAsync(fetch)).toMatch(new RegExp(`^download-refused: .* answered ${status}`));
  });

  test("a packed file, in which positions mean something else", async () => {
    const { fetch } = await transferFrom((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(body));
    });
    expect(await refusalOfAsync(fetch)).toMatch(/^download-refused: .* packed as gzip/);
  });

  test.each(["http://192.0.2.1/weights.pth", "ftp://127.0.0.1/weights.pth", "file:///etc/passwd"])(
    "%s, which is not encrypted, before it is asked; also behind a redirect",
    async (address) => {
      const { fetch } = await transferFrom((_, response) => response.writeHead(302, { location: address }).end());
      expect(await refusalOfAsync(() => fetch({ url: new URL(address) }))).toMatch(
        /^download-refused: Models are fetched by https/,
      );
      expect(await refusalOfAsync(fetch)).toMatch(/^download-refused: Models are fetched by https/);
    },
  );

  test("addresses that lead in a circle, or nowhere", async () => {
    const circle = await transferFrom((_, response) => response.writeHead(302, { location: "/weights.pth" }).end());
    expect(await refusalOfAsync(circle.fetch)).toMatch(/^download-refused: .* leads from one address to the next/);
    expect(circle.asked).toHaveLength(6);
    const nowhere = await transferFrom((_, response) => response.writeHead(302, { location: "http://[" }).end());
    expect(await refusalOfAsync(nowhere.fetch)).toMatch(/^download-refused: .* which is no address/);
  });

  test("a server that nobody listens for, with the reason", async () => {
    const { url } = await serve(() => {});
    const { fetch } = await transferFrom(() => {});
    // Port 1 is reserved and closed on every ordinary machine.
    const closed = new URL("weights.pth", url);
    closed.port = "1";
    expect(await refusalOfAsync(() => fetch({ url: closed }))).toMatch(
      /^download-broken: 127.0.0.1:1 could not be reached: /,
    );
  });
});
