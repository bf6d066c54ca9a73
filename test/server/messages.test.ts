/** What comes over the socket is anybody's: frames that are no calls, too many, too large, and clients that do not listen. */
import { connect as connectTcp, type Socket } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { contract } from "../../core/rpc/contract.ts";
import { closeCodes } from "../../core/rpc/messages.ts";
import { startServer } from "../../core/server/http.ts";
import type { SocketLimits } from "../../core/server/socket.ts";
import { createRandom, type Random } from "../../core/util/random.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { clientsOf, makePage, serveLibrary, tokenOf, type Client, type Served } from "./support.ts";

const folder = sharedFolder();
let served: Served;
beforeAll(async () => {
  served = await serveLibrary(folder, 2);
});

/** Another server of the same library, with limits of its own. */
async function withLimits(limits: Partial<SocketLimits>): Promise<Served> {
  const page = makePage(folder);
  return clientsOf(served.service, await startServer(served.service, { limits, page, guests: true }));
}

function closing(client: Client): Promise<number> {
  return new Promise((resolve) => client.socket.once("close", resolve));
}

test("a connection is greeted with who it is, and an answer bears the number of its call", async () => {
  const client = await served.connect();
  expect(client.events[0] ?? (await client.event("hello", () => true))).toBeDefined();
  const [labels, overview] = await Promise.all([client.call("labels.list", {}), client.call("library.overview", {})]);
  expect(labels.tree).toEqual([]);
  expect(overview.folder).toBe(served.service.folder);
});

test("a frame that is no call gets an error with a code, and the connection lives", async () => {
  const client = await served.connect();
  const frames: readonly (string | Buffer)[] = [
    "",
    "x",
    "null",
    "[]",
    "1",
    '"text"',
    "{}",
    '{"id":1.5,"method":"labels.list"}',
    '{"id":"1","method":"labels.list"}',
    '{"id":1e400,"method":"labels.list"}',
    '{"method":"labels.list","params":{}}',
    '{"id":null,"method":"labels.list"}',
    "[".repeat(100_000),
    Buffer.from([0xff, 0xfe, 0x00]),
    Buffer.from('{"id":7,"method":"labels.list"}'),
  ];
  for (const frame of frames) {
    expect((await client.send(frame)).code, String(frame).slice(0, 40)).toBe("message-invalid");
  }
  // The wrong text has a number here: its answer bears it.
  expect(await client.refusal("nothing.like.it", {})).toBe("method-unknown");
  for (const method of ["__proto__", "constructor", "toString", "hasOwnProperty", ""]) {
    expect(await client.refusal(method, {}), method).toBe("method-unknown");
  }
  expect(await client.refusal("images.detail", { imageId: 1, __proto__: { x: 1 }, constructor: 1 })).toBe(
    "params-invalid",
  );
  expect(await client.refusal("labels.assign", "x".repeat(1000))).toBe("params-invalid");
  expect(await client.call("labels.list", {})).toMatchObject({ tree: [] });
});

test("a message that is too large is refused, and one that is far too large ends its connection", async () => {
  const limited = await withLimits({ messageBytes: 10_000 });
  const client = await limited.connect();
  const params = { name: "x".repeat(10_000) };
  expect((await client.send(JSON.stringify({ id: 1, method: "labels.list", params }))).code).toBe("message-too-large");
  expect(await client.call("labels.list", {})).toMatchObject({ tree: [] });
  const closed = closing(client);
  client.socket.send("x".repeat(20_001));
  expect(await closed).toBe(1009);
});

/** A value that looks more or less like something the core is told. */
function anything(random: Random, depth = 0): unknown {
  const words = ["ids", "filter", "labelId", "path", "kind", "embed", "parameters", "../../etc/passwd", "\0", "💣", ""];
  const kind = random.integer(depth > 3 ? 6 : 8);
  switch (kind) {
    case 0:
      return random.integer(4) - 1;
    case 1:
      return [1e308, -0.5, 2 ** 53, 1e21, 0.1][random.integer(5)];
    case 2:
      return words[random.integer(words.length)];
    case 3:
      return [null, true, false][random.integer(3)];
    case 4:
      return "a".repeat(random.integer(300));
    case 5:
      return [];
    case 6:
      return Array.from({ length: random.integer(5) }, () => anything(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.integer(5) }, () => [
          words[random.integer(words.length)] ?? "",
          anything(random, depth + 1),
        ]),
      );
  }
}

test(
  "10,000 fuzzed frames change nothing, reach nothing, and leave the server as it was",
  { timeout: 60_000 },
  async () => {
    const limited = await withLimits({ messagesPerSecond: 1e6, burst: 1e6, pending: 1e6 });
    const client = await limited.connect();
    const random = createRandom(20_261_124);
    // Adding the starter model, and testing devices for a minute, are what a valid call without parameters does.
    const names = Object.keys(contract).filter((name) => name !== "device.test" && name !== "models.starter");
    const before = await client.call("library.overview", {});
    const memory = process.memoryUsage().rss;
    let answers = 0;
    const codes = new Map<string, number>();
    const done = new Promise<void>((resolve) => {
      client.socket.on("message", (data: Buffer) => {
        const message = JSON.parse(data.toString("utf8")) as { event?: string; error?: { code: string } };
        if (message.event !== undefined) return;
        const code = message.error?.code ?? "result";
        codes.set(code, (codes.get(code) ?? 0) + 1);
        if (++answers === 10_000) resolve();
      });
    });
    for (let i = 0; i < 10_000; i++) {
      const method = random.integer(4) === 0 ? anything(random, 9) : names[random.integer(names.length)];
      let text = JSON.stringify({ id: 1_000_000 + i, method, params: anything(random) });
      if (random.integer(5) === 0) {
        // A byte of the text turned into another, or the rest cut off.
        const at = random.integer(text.length);
        text =
          text.slice(0, at) +
          (random.integer(2) === 0 ? String.fromCharCode(random.integer(0xd800)) + text.slice(at + 1) : "");
      }
      client.socket.send(text);
    }
    await done;
    expect(codes.get("internal") ?? 0, [...codes].join(" ")).toBe(0);
    expect(codes.get("params-invalid")).toBeGreaterThan(3000);
    expect(codes.get("message-invalid")).toBeGreaterThan(500);
    const after = await client.call("library.overview", {});
    expect({ ...after, jobs: [], revision: 0, savedAt: 0, device: null }).toEqual({
      ...before,
      jobs: [],
      revision: 0,
      savedAt: 0,
      device: null,
    });
    // What 10,000 messages leave behind is far less than what they said: some 3 MB of text, parsed.
    expect(process.memoryUsage().rss - memory).toBeLessThan(300 * 2 ** 20);
  },
);

describe("clients that ask too much", () => {
  test("are refused while they do, and cut off when they go on", async () => {
    const limited = await withLimits({ messagesPerSecond: 1, burst: 10 });
    const client = await limited.connect();
    const calls = await Promise.allSettled(Array.from({ length: 15 }, () => client.call("labels.list", {})));
    expect(calls.map(({ status }) => status)).toEqual([
      ...new Array<string>(10).fill("fulfilled"),
      ...new Array<string>(5).fill("rejected"),
    ]);
    const closed = closing(client);
    for (let i = 0; i < 50; i++) client.socket.send('{"id":1,"method":"labels.list"}');
    expect(await closed).toBe(closeCodes.tooFast);
  });

  test("do not take more than their share of calls at a time", async () => {
    const limited = await withLimits({ pending: 2 });
    const client = await limited.connect();
    const slow = Array.from({ length: 5 }, () => client.call("device.get", {}));
    const calls = await Promise.allSettled(slow);
    expect(calls.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  });

  test("are let in only so many at a time", async () => {
    const limited = await withLimits({ connections: 3 });
    const clients = await Promise.all([limited.connect(), limited.connect(), limited.connect()]);
    await expect(limited.connect()).rejects.toThrow("503");
    const closed = closing(clients[0]);
    clients[0].socket.close();
    await closed;
    // The server hears of it a moment later.
    await expect.poll(() => limited.connect().then(Boolean, () => false)).toBe(true);
  });

  test("leave room for the owner where they are guests", async () => {
    const limited = await withLimits({ connections: 3, guests: 2 });
    const guest = tokenOf(limited.server.guestUrl);
    await Promise.all([limited.connect(guest), limited.connect(guest)]);
    await expect(limited.connect(guest)).rejects.toThrow("503");
    const owner = await limited.connect();
    expect(await owner.call("labels.list", {})).toMatchObject({ tree: [] });
  });
});

describe("clients that do not listen", () => {
  test("are dropped when too much waits for them, and others hear all", async () => {
    const limited = await withLimits({ bufferedBytes: 2 ** 20 });
    const [deaf, awake] = [await limited.connect(), await limited.connect()];
    deaf.socket.pause();
    const closed = closing(deaf);
    const big = { key: "big", value: "x".repeat(60_000) };
    await awake.call("settings.set", big);
    // Each answer is 60 kB: some 50 MB, far more than what the system buffers on the way.
    for (let i = 0; i < 900; i++) {
      deaf.socket.send(JSON.stringify({ id: i, method: "settings.get", params: {} }));
      if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await awake.call("settings.set", { key: "big", value: null });
    await new Promise((resolve) => setTimeout(resolve, 300));
    deaf.socket.resume();
    expect(await closed).toBe(1006);
    expect(await awake.call("labels.list", {})).toMatchObject({ tree: [] });
  });

  test("are dropped when they are gone without a word", async () => {
    const limited = await withLimits({ pingMs: 50 });
    const client = await limited.connect();
    const awake = await limited.connect();
    const closed = closing(client);
    client.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.socket.resume();
    expect(await closed).toBe(1006);
    expect(await awake.call("labels.list", {})).toMatchObject({ tree: [] });
  });

  test("200 connections that say nothing, or half a word, keep nobody out", async () => {
    const sockets = await Promise.all(
      Array.from(
        { length: 200 },
        (_, i) =>
          new Promise<Socket>((resolve, reject) => {
            const socket = connectTcp(served.server.port, "127.0.0.1", () => {
              if (i % 2 === 0) socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${served.server.port}\r\nX-Slow: `);
              resolve(socket);
            });
            socket.on("error", reject);
          }),
      ),
    );
    const started = performance.now();
    expect((await served.ask("/")).status).toBe(200);
    const client = await served.connect();
    expect(await client.call("labels.list", {})).toMatchObject({ tree: [] });
    // Loopback and a small page: a second is much, on a busy machine too.
    expect(performance.now() - started).toBeLessThan(2000);
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.destroy();
    }
  });

  test("that were refused as sockets, and keep their half of the connection open, keep nobody out", async () => {
    const refusedSocket = await withLimits({ connections: 0 });
    const { port, origin } = refusedSocket.server;
    const upgrade = `GET /socket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
    const asked = [upgrade, `${upgrade}Origin: ${origin}\r\nCookie: ${refusedSocket.cookie()}\r\n`];
    // As many as there may be connections, of a client that takes the refusal and does not hang up.
    const sockets: Socket[] = [];
    for (let i = 0; i < 515; i++) {
      const socket = connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true });
      sockets.push(socket);
      socket.on("error", () => {});
      socket.resume();
      socket.write(`${asked[i % 2]}\r\n`);
      await new Promise((resolve) => socket.once("end", resolve).once("close", resolve));
    }
    expect((await refusedSocket.ask("/")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  test("that never end their request, or never take the answer, are cut off", async () => {
    const timeouts = { headersMs: 200, requestMs: 400, idleMs: 400 };
    const server = await startServer(served.service, { timeouts, page: makePage(folder) });
    const limited = clientsOf(served.service, server);
    const host = `Host: 127.0.0.1:${server.port}\r\n`;
    const post = `POST /images HTTP/1.1\r\n${host}Cookie: ${limited.cookie()}\r\nOrigin: ${server.origin}\r\n`;
    const beginnings = [
      "",
      `GET / HTTP/1.1\r\n${host}X-Slow: `,
      `${post}Content-Length: 1000\r\n\r\nhalf`,
      `${post}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
    ];
    const ends = beginnings.map(
      (text) =>
        new Promise<number>((resolve) => {
          const started = performance.now();
          const socket = connectTcp(server.port, "127.0.0.1", () => socket.write(text));
          socket.on("error", () => {});
          socket.on("data", () => {});
          socket.on("close", () => resolve(performance.now() - started));
        }),
    );
    // Ten times what they are given: the machine may be busy.
    for (const ms of await Promise.all(ends)) expect(ms).toBeLessThan(4000);
    await server.close();
  });

  test("requests that are no HTTP are answered with 400 and ended", async () => {
    for (const text of ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", `GET / HTTP/1.1\r\nX: ${"y".repeat(20_000)}\r\n\r\n`]) {
      const said = await new Promise<string>((resolve) => {
        let answer = "";
        const socket = connectTcp(served.server.port, "127.0.0.1", () => socket.write(text));
        socket.on("data", (data) => (answer += data.toString("latin1")));
        socket.on("close", () => resolve(answer));
        socket.on("error", () => {});
      });
      expect(said, text.slice(0, 20)).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
  });
});

describe("bodies", () => {
  test("have an end: more than is taken in is refused, whatever was announced", async () => {
    const headers = { origin: served.server.origin };
    const large = Buffer.alloc(17 * 2 ** 20, 0x20);
    const announced = await served.ask("/images", { method: "POST", headers, body: large }).catch(() => null);
    expect([413, undefined]).toContain(announced?.status);
    const chunked = { ...headers, "transfer-encoding": "chunked" };
    const streamed = await served.ask("/images", { method: "POST", headers: chunked, body: large }).catch(() => null);
    expect([413, undefined]).toContain(streamed?.status);
    const { status, body } = await served.ask("/images", { method: "POST", headers, body: "{" });
    expect(`${status} ${body.toString("utf8")}`).toMatch(/^400 .*params-invalid/);
    expect((await served.ask("/nothing", { method: "POST", headers, body: "{}" })).status).toBe(404);
    expect((await served.ask("/")).status).toBe(200);
  });

  test("of long queries have a limit together, and guests cannot use up what the owner has", async () => {
    const { port, origin } = served.server;
    const guest = served.cookie(tokenOf(served.server.guestUrl));
    const ask = async (cookie: string) => {
      const { status, body } = await served.ask("/images", { method: "POST", headers: { origin, cookie }, body: "{}" });
      return status === 200 ? "200" : `${status} ${(JSON.parse(body.toString("utf8")) as { code: string }).code}`;
    };
    // Two that do not say how long they are, and do not come to an end.
    const slow = Array.from({ length: 2 }, () => {
      const socket = connectTcp(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(`POST /images HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nCookie: ${guest}\r\n`);
      socket.write("Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n");
      return socket;
    });
    while ((await ask(guest)) === "200") await new Promise((resolve) => setTimeout(resolve, 10));
    expect([await ask(guest), await ask(served.cookie())]).toEqual(["422 busy", "200"]);
    for (const socket of slow) socket.destroy();
    while ((await ask(guest)) !== "200") await new Promise((resolve) => setTimeout(resolve, 10));
  });
});
