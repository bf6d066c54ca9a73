import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openService } from "../../core/app.ts";
import { startServer } from "../../core/server/http.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { makePage } from "./support.ts";

const folder = sharedFolder();
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

test.skipIf(!hasOpenssl)("with a certificate the name in it is served, over TLS alone (needs openssl)", async () => {
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate];
  execFileSync("openssl", [...made, ...names], { stdio: "ignore" });
  const service = openService({ folder: join(folder, "library"), holder: "dinoscope test" });
  const page = makePage(join(folder, "page"));
  const server = await startServer(service, { host: "localhost", tls: { certificate, key }, page });
  const ask = (path: string, headers: Record<string, string> = {}): Promise<{ status: number; cookie: string }> =>
    new Promise((resolve, reject) => {
      const options = { host: "localhost", port: server.port, path, headers, ca: readFileSync(certificate) };
      request(options, (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, cookie: response.headers["set-cookie"]?.[0] ?? "" });
      })
        .on("error", reject)
        .end();
    });
  expect(server.origin).toBe(`https://localhost:${server.port}`);
  const { pathname, search } = new URL(server.startUrl);
  const entered = await ask(`${pathname}${search}`);
  expect(entered.status).toBe(303);
  expect(entered.cookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\/; Secure$/);
  expect((await ask("/")).status).toBe(401);
  expect((await ask("/", { cookie: entered.cookie.split(";")[0] ?? "" })).status).toBe(200);
  // Without TLS nothing is said at all.
  await expect(fetch(`http://localhost:${server.port}/`)).rejects.toThrow();
  await server.close();
  await service.close();
});
