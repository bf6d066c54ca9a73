import { writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { startServer } from "../../core/server/http.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { connect, serveLibrary, tokenOf, type Served } from "./support.ts";

const folder = sharedFolder();
let served: Served;
beforeAll(async () => {
  served = await serveLibrary(folder, 0);
});

/** Code and state of a refusal. */
async function refused(path: string, headers: Readonly<Record<string, string>>, method = "GET"): Promise<string> {
  const { status, body } = await served.ask(path, { headers, method });
  const { code } = JSON.parse(body.toString("utf8")) as { code: string };
  return `${status} ${code}`;
}

describe("the token", () => {
  test("has 32 bytes, and another server has another one", async () => {
    expect(served.token).toMatch(/^[0-9a-f]{64}$/);
    const other = await startServer(served.service);
    expect(tokenOf(other.startUrl)).not.toBe(served.token);
    await other.close();
  });

  test("of the start address goes into a cookie that no script reads, and out of the address", async () => {
    const { status, headers } = await served.ask(`/?token=${served.token}&view=grid`, { headers: { cookie: "" } });
    expect({ status, location: headers.location }).toEqual({ status: 303, location: "/?view=grid" });
    expect(headers["set-cookie"]).toEqual([
      `${served.server.cookieName}=${served.token}; HttpOnly; SameSite=Strict; Path=/`,
    ]);
    expect((await served.ask("/")).body.toString()).toContain("<title>Dinoscope</title>");
  });

  test("is needed for the page, for every byte and for every message", async () => {
    for (const path of ["/", "/index.html", "/images", "/thumbnails/1", "/pictures/1", "/map/1", "/nothing"]) {
      expect(await refused(path, { cookie: "" }), path).toBe("401 token-missing");
    }
    const wrong = [
      "0".repeat(64),
      served.token.slice(0, -1),
      `${served.token}0`,
      served.token.toUpperCase().replace(/^./, "G"),
      "",
    ];
    for (const token of wrong) {
      expect(await refused("/", { cookie: served.cookie(token) }), token).toBe("401 token-missing");
      expect(await refused("/", { cookie: "", authorization: `Bearer ${token}` }), token).toBe("401 token-missing");
      expect((await served.ask(`/?token=${token}`, { headers: { cookie: "" } })).status, token).toBe(401);
      await expect(served.connect(token), token).rejects.toThrow("401");
    }
    expect(await refused("/", { cookie: `dinoscope=${served.token}` })).toBe("401 token-missing");
  });

  test("is taken from programs as a bearer token", async () => {
    const headers = { cookie: "", authorization: `Bearer ${served.token}` };
    expect((await served.ask("/images", { headers })).status).toBe(200);
  });

  test("may come by a ticket, which is good once, for a minute, and from the owner alone", async () => {
    const askFor = (token: string, method = "POST") =>
      served.ask("/ticket", { method, headers: { cookie: "", authorization: `Bearer ${token}` } });
    const enter = async (ticket: string, more: Readonly<Record<string, string>> = {}) => {
      const { status, headers } = await served.ask(`/?ticket=${ticket}`, { headers: { cookie: "", ...more } });
      return [status, headers["set-cookie"]?.[0]?.split(";")[0]];
    };
    const { status, body } = await askFor(served.token);
    const ticket = body.toString();
    expect([status, ticket]).toEqual([200, expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await refused("/", { cookie: served.cookie(ticket) })).toBe("401 token-missing");
    const entered = [200, `${served.server.cookieName}=${served.token}`];
    // From a file of the user, too, as a browser says it; but not to another name of this server.
    expect(await enter(ticket, { host: "evil.example" })).toEqual([403, undefined]);
    expect(await enter(ticket, { "sec-fetch-site": "cross-site" })).toEqual(entered);
    expect(await enter(ticket)).toEqual([401, undefined]);
    for (const wrong of ["", "0".repeat(64), served.token]) {
      expect(await enter(wrong), wrong).toEqual([401, undefined]);
    }
    expect((await askFor(tokenOf(served.server.guestUrl))).status).toBe(404);
    expect((await askFor(served.token, "GET")).status).toBe(404);
    expect(await refused("/ticket", { cookie: "" }, "POST")).toBe("403 origin-missing");

    const late = (await askFor(served.token)).body.toString();
    const inTime = (await askFor(served.token)).body.toString();
    const now = Date.now();
    vi.spyOn(Date, "now").mockReturnValue(now + 59_000);
    expect(await enter(inTime)).toEqual(entered);
    vi.spyOn(Date, "now").mockReturnValue(now + 61_000);
    expect(await enter(late)).toEqual([401, undefined]);
    vi.restoreAllMocks();
  });

  test("of a guest opens the page, too", async () => {
    const guest = tokenOf(served.server.guestUrl);
    expect((await served.ask("/", { headers: { cookie: served.cookie(guest) } })).status).toBe(200);
  });
});

describe("the place that a request comes from", () => {
  test("is this server by the name that it gave: every other Host is refused (DNS rebinding)", async () => {
    const { port } = served.server;
    const hosts = [
      `localhost:${port}`,
      `evil.example:${port}`,
      "127.0.0.1",
      `127.0.0.1:${port + 1}`,
      `127.0.0.1:${port}.evil.example`,
      `127.0.0.1.:${port}`,
      `[::1]:${port}`,
      `0.0.0.0:${port}`,
      `user@127.0.0.1:${port}`,
    ];
    for (const host of hosts) {
      expect(await refused("/", { host }), host).toBe("403 host-refused");
      await expect(
        connect(served.server, { host, cookie: served.cookie(), origin: served.server.origin }),
      ).rejects.toThrow("403");
    }
  });

  test("is its own origin: requests of other pages are refused with the right cookie, too", async () => {
    const { port, origin } = served.server;
    const others = [
      "https://evil.example",
      "null",
      `http://localhost:${port}`,
      `http://127.0.0.1:${port + 1}`,
      `https://127.0.0.1:${port}`,
      "",
      `${origin}.evil.example`,
      `${origin}/`,
    ];
    for (const other of others) {
      expect(await refused("/", { origin: other }), other).toBe("403 origin-refused");
      await expect(connect(served.server, { cookie: served.cookie(), origin: other }), other).rejects.toThrow("403");
    }
    expect((await served.ask("/", { headers: { origin } })).status).toBe(200);
  });

  test("is said by the browser: requests of other sites are refused, typed addresses are not", async () => {
    for (const site of ["cross-site", "same-site", "nonsense"]) {
      expect(await refused("/", { "sec-fetch-site": site }), site).toBe("403 site-refused");
      // Not even the right token in the address: a page of the web must not be able to log its visitor in.
      expect(await refused(`/?token=${served.token}`, { "sec-fetch-site": site }), site).toBe("403 site-refused");
    }
    for (const site of ["same-origin", "none"]) {
      expect((await served.ask("/", { headers: { "sec-fetch-site": site } })).status, site).toBe(200);
    }
  });

  test("must be named for a socket, and for what a page posts", async () => {
    await expect(connect(served.server, { cookie: served.cookie() })).rejects.toThrow("403");
    await expect(connect(served.server, { authorization: `Bearer ${served.token}` })).rejects.toThrow("403");
    expect(await refused("/images", {}, "POST")).toBe("403 origin-missing");
    const { origin } = served.server;
    const page = await served.ask("/images", { method: "POST", headers: { origin }, body: "{}" });
    const program = await served.ask("/images", {
      method: "POST",
      headers: { cookie: "", authorization: `Bearer ${served.token}` },
      body: "{}",
    });
    expect([page.status, program.status]).toEqual([200, 200]);
  });

  test("has one door for sockets", async () => {
    const headers = { cookie: served.cookie(), origin: served.server.origin };
    await expect(connect(served.server, headers, "/")).rejects.toThrow("404");
    await expect(connect(served.server, headers, "/socket/../socket")).resolves.toBeDefined();
    await expect(connect(served.server, headers, "/socket?x=1")).rejects.toThrow("404");
  });
});

describe("every answer", () => {
  test("says what the page may do, and that nobody else may read, frame or keep it", async () => {
    for (const path of ["/", "/images", "/nothing", "/thumbnails/9"]) {
      const { headers } = await served.ask(path);
      expect(headers["content-security-policy"], path).toMatch(/default-src '(self|none)'/);
      expect(headers["content-security-policy"], path).toContain("frame-ancestors 'none'");
      expect(headers["content-security-policy"], path).not.toMatch(/unsafe|\*|http/);
      expect(headers, path).toMatchObject({
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      });
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });

  test("on a bare connection says it too: to a socket that is refused, and to what is no HTTP", async () => {
    const { port, origin } = served.server;
    const upgrade = `Host: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
    const asked: readonly (readonly [number, string])[] = [
      [403, `GET /socket HTTP/1.1\r\n${upgrade}\r\n`],
      [401, `GET /socket HTTP/1.1\r\n${upgrade}Origin: ${origin}\r\n\r\n`],
      [404, `GET /other HTTP/1.1\r\n${upgrade}Origin: ${origin}\r\nCookie: ${served.cookie()}\r\n\r\n`],
      [400, "nonsense\r\n\r\n"],
    ];
    for (const [status, text] of asked) {
      const said = await new Promise<string>((resolve) => {
        let answer = "";
        const socket = connectTcp(port, "127.0.0.1", () => socket.write(text));
        socket.on("data", (data) => (answer += data.toString("latin1")));
        socket.on("close", () => resolve(answer));
      });
      expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
      for (const line of ["frame-ancestors 'none'", "Cross-Origin-Resource-Policy: same-origin", "nosniff"])
        expect(said).toContain(line);
    }
  });

  test("to an address of another server's form comes after every check, and is not ours", async () => {
    const anonymous = { cookie: "" };
    expect(await refused("//", anonymous)).toBe("401 token-missing");
    expect(await refused("//", { host: "evil.example" })).toBe("403 host-refused");
    for (const path of ["//", "//evil.example/", "///", "http://evil.example/", "http://127.0.0.1/", "*"])
      expect(await refused(path, {}), path).toBe("404 not-found");
  });

  test("to other methods is a refusal", async () => {
    for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]) {
      expect(await refused("/", { origin: served.server.origin }, method), method).toBe("405 method-refused");
    }
  });
});

describe("other machines", () => {
  test("are served with a certificate only, under a name that is one", async () => {
    const start = (options: object): Promise<string> => refusalOfAsync(() => startServer(served.service, options));
    expect(await start({ host: "192.168.1.20" })).toMatch(/^tls-missing: .*certificate/);
    const every = ["0.0.0.0", "::", "[::]", "*", "", "0", "0x0", "00.0", "::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0"];
    for (const host of every) expect(await start({ host }), host).toMatch(/^host-invalid/);
    const missing = { certificate: join(folder, "none.pem"), key: join(folder, "none.pem") };
    expect(await start({ host: "localhost", tls: missing })).toMatch(/^tls-missing: The file .*none\.pem/);
    writeFileSync(join(folder, "bad.pem"), "no certificate");
    const bad = { certificate: join(folder, "bad.pem"), key: join(folder, "bad.pem") };
    expect(await start({ host: "localhost", tls: bad })).toMatch(/^tls-invalid/);
  });

  test("find nothing: the server listens on the loopback alone", () => {
    expect(new URL(served.server.origin).hostname).toBe("127.0.0.1");
  });

  test("a port that is taken is said", async () => {
    expect(await refusalOfAsync(() => startServer(served.service, { port: served.server.port }))).toMatch(
      /^port-taken/,
    );
  });
});
