/** What a page of the web could do, while Dinoscope is open in another tab of the same browser: tried in a real one. */
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { runJob, serveLibrary, type Served } from "../server/support.ts";
import { join } from "node:path";

const folder = sharedFolder();
const browserPath = "/usr/bin/chromium";

describe.skipIf(!existsSync(browserPath))("a page of another origin, in chromium", () => {
  let served: Served;
  let page: Page;
  let evil: string;
  beforeAll(async () => {
    served = await serveLibrary(folder, 2);
    const client = await served.connect();
    await runJob(client, { kind: "ingest", parameters: { folder: join(folder, "photos") } });
    // It answers to whatever is asked, from wherever.
    const other = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/html", "access-control-allow-origin": "*" });
      response.end("<!doctype html><title>evil</title>");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    evil = `http://evil.example:${(other.address() as AddressInfo).port}`;
    const browser = await chromium.launch({
      executablePath: browserPath,
      // Every name of evil.example leads to this machine: what DNS rebinding does.
      args: ["--no-sandbox", "--host-resolver-rules=MAP evil.example 127.0.0.1"],
    });
    afterAll(async () => {
      await browser.close();
      other.close();
    });
    const context = await browser.newContext();
    // The user has Dinoscope open: the browser has the cookie.
    const own = await context.newPage();
    await own.goto(served.server.startUrl);
    expect(await own.title()).toBe("Dinoscope");
    expect(await own.evaluate(() => fetch("/images").then((response) => response.status))).toBe(200);
    page = await context.newPage();
    await page.goto(evil);
  });

  test("cannot read or send anything by fetch", async () => {
    const { origin } = served.server;
    const results = await page.evaluate(async (target) => {
      const tries: [string, RequestInit][] = [
        ["/images", {}],
        ["/images", { credentials: "include" }],
        ["/images", { credentials: "include", mode: "no-cors" }],
        ["/images", { method: "POST", body: "{}", credentials: "include", mode: "no-cors" }],
        ["/queries?model=1", { method: "POST", body: "x", credentials: "include", headers: { "x-own": "1" } }],
        ["/thumbnails/1", { credentials: "include" }],
      ];
      return Promise.all(
        tries.map(([path, init]) =>
          fetch(target + path, init).then(
            async (response) => `${response.status} ${response.type} ${(await response.text()).length}`,
            () => "failed",
          ),
        ),
      );
    }, origin);
    // "no-cors" may be sent, and comes back as nothing that can be read; what the server said is in the next test.
    for (const result of results) expect(result).toMatch(/^(failed|0 opaque 0)$/);
  });

  test("cannot open a socket, frame the page, or show a picture of it", async () => {
    const { origin } = served.server;
    const results = await page.evaluate(async (target) => {
      const socket = new Promise<string>((resolve) => {
        const line = new WebSocket(`${target.replace("http", "ws")}/socket`);
        line.onopen = () => resolve("open");
        line.onerror = () => resolve("refused");
      });
      const picture = new Promise<string>((resolve) => {
        const image = new Image();
        image.onload = () => resolve("shown");
        image.onerror = () => resolve("refused");
        image.src = `${target}/thumbnails/1`;
      });
      const script = new Promise<string>((resolve) => {
        const element = document.createElement("script");
        element.onload = () => resolve("ran");
        element.onerror = () => resolve("refused");
        element.src = `${target}/assets/page-abc123.js`;
        document.head.append(element);
      });
      const frame = new Promise<string>((resolve) => {
        const element = document.createElement("iframe");
        element.onload = () => resolve(element.contentWindow?.length === undefined ? "no window" : "loaded");
        element.src = target;
        document.body.append(element);
      });
      return { socket: await socket, picture: await picture, script: await script, frame: await frame };
    }, origin);
    expect(results).toMatchObject({ socket: "refused", picture: "refused", script: "refused" });
    // A frame always "loads"; what is in it is the browser's error page.
    const inside = page.frames().find((frame) => frame !== page.mainFrame());
    expect(await inside?.title().catch(() => "")).not.toBe("Dinoscope");
  });

  test("cannot log its visitor in, nor come in by a form or a link", async () => {
    const { origin } = served.server;
    await page.goto(evil);
    await page.evaluate((target) => {
      const form = document.createElement("form");
      form.method = "post";
      form.action = `${target}/images`;
      document.body.append(form);
      form.submit();
    }, origin);
    await page.waitForURL(`${origin}/**`);
    expect(await page.textContent("body")).toContain("site-refused");
    await page.goto(evil);
    await page.evaluate((target) => location.assign(target), served.server.startUrl);
    await page.waitForURL(`${origin}/**`);
    expect(await page.textContent("body")).toContain("site-refused");
  });

  test("does not become ours by a name that leads here (DNS rebinding)", async () => {
    const { port } = served.server;
    const response = await page.goto(`http://evil.example:${port}/`);
    expect(response?.status()).toBe(403);
    expect(await page.textContent("body")).toContain("host-refused");
    const status = await page.evaluate(() => fetch("/images").then((answer) => answer.status));
    expect(status).toBe(403);
  });
});
