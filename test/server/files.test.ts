/** Paths are how servers are broken into: addresses in every encoding, links that lead out, names that mean more. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { innerPath } from "../../core/server/files.ts";
import { picturePath } from "../../core/rpc/paths.ts";
import { startServer } from "../../core/server/http.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { clientsOf, runJob, serveLibrary, type Client, type Served } from "./support.ts";

const folder = sharedFolder();
const secret = "nobody may read this";
let served: Served;
let client: Client;
beforeAll(async () => {
  served = await serveLibrary(folder, 3);
  client = await served.connect();
  writeFileSync(join(folder, "secret.txt"), secret);
  writeFileSync(join(folder, "secret.html"), secret);
  writeFileSync(join(folder, "page", ".hidden.html"), secret);
  symlinkSync(join(folder, "secret.html"), join(folder, "page", "link.html"));
  symlinkSync(folder, join(folder, "page", "up"));
  await runJob(client, { kind: "ingest", parameters: { folder: join(folder, "photos") } });
});

/** What the server says to a request line as it is: clients tidy paths up before they send them. */
function raw(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const { port } = served.server;
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nCookie: ${served.cookie()}\r\nConnection: close\r\n\r\n`,
      ),
    );
    socket.on("data", (data) => (answer += data.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("files of the page", () => {
  test("are sent with their type; what the build named by content is kept for good", async () => {
    const page = await served.ask("/");
    expect(page).toMatchObject({ status: 200, headers: { "content-type": "text/html; charset=utf-8" } });
    expect(page.headers["cache-control"]).toBe("no-cache");
    const script = await served.ask("/assets/page-abc123.js");
    expect(script.headers).toMatchObject({ "content-type": "text/javascript; charset=utf-8" });
    expect(script.headers["cache-control"]).toContain("immutable");
  });

  test("are all that is sent: no path in any spelling leads out of their folder", async () => {
    const up = [
      "..",
      "%2e%2e",
      "%2E%2E",
      ".%2e",
      "%2e.",
      "..%00",
      "%252e%252e",
      "..;",
      "...",
      "%c0%ae%c0%ae",
      "%u002e%u002e",
    ];
    const slash = ["/", "%2f", "%2F", "\\", "%5c", "%5C", "//", "/./", "%252f", "%c0%af"];
    const paths = [
      ...up.flatMap((dots) => slash.map((line) => `/${dots}${line}secret.txt`)),
      ...up.flatMap((dots) => slash.map((line) => `/assets/${dots}${line}${dots}${line}secret.html`)),
      `//${folder}/secret.txt`,
      `/${folder}/secret.html`,
      `http://127.0.0.1:${served.server.port}/../secret.txt`,
      "/.hidden.html",
      "/link.html",
      "/up/secret.html",
      "/secret.html%00.js",
      "/assets",
      "/assets/",
      "/%",
      "/%zz",
      "/%ff",
      "*",
      "/con.html",
      "/C:/secret.html",
      "/index.html/",
    ];
    for (const path of paths) {
      const answer = await raw(path);
      expect(answer, path).not.toContain(secret);
      expect(answer, path).toMatch(/^HTTP\/1\.1 (400|404|401) /);
    }
  });

  test("have plain names: whatever else an address says means nothing", () => {
    expect(innerPath("/assets/a-b_c.123.js")).toBe("assets/a-b_c.123.js");
    expect(innerPath("/a%20b.png")).toBe("a b.png");
    for (const path of ["/", "//", "/a//b", "/../a", "/a/../b", "/%2e%2e/a", "/a%5cb", "/a%00b", "/%", "a", ""]) {
      expect(innerPath(path), path).toBeNull();
    }
  });

  test("that are not built are no mystery", async () => {
    const server = await startServer(served.service, { page: join(folder, "nothing") });
    const { status, body } = await clientsOf(served.service, server).ask("/");
    expect(status).toBe(503);
    expect(body.toString("utf8")).toContain("npm run build");
    await server.close();
  });
});

describe("pictures", () => {
  test("that became a link out of their source are not sent", async () => {
    const path = picturePath(1, 0);
    expect((await served.ask(path)).body).toEqual(readFileSync(join(folder, "photos", "000.jpg")));
    renameSync(join(folder, "photos", "000.jpg"), join(folder, "kept.jpg"));
    for (const target of [join(folder, "secret.txt"), "/etc/passwd"]) {
      symlinkSync(target, join(folder, "photos", "000.jpg"));
      const { status, body } = await served.ask(path);
      expect(`${status} ${body.toString("utf8")}`, target).toMatch(/^403 .*path-outside/);
      rmSync(join(folder, "photos", "000.jpg"));
    }
    // A folder on the way that is a link now.
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "kept.jpg"), join(folder, "elsewhere", "000.jpg"));
    renameSync(join(folder, "photos"), join(folder, "real-photos"));
    symlinkSync(join(folder, "real-photos"), join(folder, "photos"));
    expect((await served.ask(path)).status).toBe(404);
    renameSync(join(folder, "kept.jpg"), join(folder, "real-photos", "000.jpg"));
    // The source itself may be reached by a link, as people keep their disks.
    expect((await served.ask(path)).status).toBe(200);
  });

  test("that are folders, pipes or gone are not there", async () => {
    const file = join(folder, "real-photos", "001.jpg");
    rmSync(file);
    expect((await served.ask(picturePath(2, 0))).status).toBe(404);
    mkdirSync(file);
    expect((await served.ask(picturePath(2, 0))).status).toBe(404);
    if (process.platform === "win32") return;
    rmSync(file, { recursive: true });
    execFileSync("mkfifo", [file]);
    expect((await served.ask(picturePath(2, 0))).status).toBe(404);
  });

  test("that fail inside tell nobody what is inside", async () => {
    vi.spyOn(served.service.bytes, "picture").mockRejectedValueOnce(new Error(`EIO: ${secret}`));
    const { status, body } = await served.ask("/pictures/1");
    expect([status, JSON.parse(body.toString())]).toEqual([
      500,
      { code: "internal", message: "Something went wrong here." },
    ]);
    expect((await served.ask("/pictures/1")).status).toBe(200);
  });

  test("are never a page: the browser is told what they are, and to run nothing", async () => {
    writeFileSync(join(folder, "real-photos", "002.jpg"), "<html><script>alert(1)</script>");
    const { headers } = await served.ask(picturePath(3, 0));
    expect(headers).toMatchObject({ "content-type": "image/jpeg", "x-content-type-options": "nosniff" });
    expect(headers["content-security-policy"]).toContain("sandbox");
  });
});
