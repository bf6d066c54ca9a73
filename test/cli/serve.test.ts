import { join } from "node:path";
import { expect, test } from "vitest";
import { makePage } from "../server/support.ts";
import { dinoscope, objectsOf, startDinoscope } from "../helpers/command-line.ts";
import { temporaryFolder } from "../library/support.ts";

test("serve prints the address, lets in who has it, and ends with Ctrl-C as a success", async () => {
  const folder = temporaryFolder();
  const page = makePage(join(folder, "page"));
  const library = join(folder, "library");
  const { child, result } = startDinoscope(["--library", library, "--json", "serve", "--page", page, "--guests"]);
  const line = await new Promise<string>((resolve) => child.stdout?.once("data", (text: string) => resolve(text)));
  const [serving] = objectsOf(line);
  const { origin, url, guestUrl } = serving as { origin: string; url: string; guestUrl: string };
  expect(serving).toMatchObject({ type: "serving", folder: library });
  expect(new URL(origin).hostname).toBe("127.0.0.1");
  expect((await fetch(origin)).status).toBe(401);
  for (const address of [url, guestUrl]) {
    const entered = await fetch(address, { redirect: "manual" });
    expect(entered.status).toBe(303);
    const cookie = entered.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect(await (await fetch(origin, { headers: { cookie } })).text()).toContain("<title>Dinoscope</title>");
  }
  child.kill("SIGINT");
  expect(await result).toMatchObject({ code: 0, stderr: "" });
});

test("serve refuses other machines without a certificate, and half of one", async () => {
  const library = join(temporaryFolder(), "library");
  const open = await dinoscope("--library", library, "serve", "--host", "192.168.1.20");
  expect(open).toMatchObject({ code: 1, stdout: "" });
  expect(open.stderr).toMatch(/error \(tls-missing\)[\s\S]*--tls-cert/);
  const half = await dinoscope("--library", library, "serve", "--tls-cert", "cert.pem");
  expect(half).toMatchObject({ code: 2 });
  expect(half.stderr).toContain("option-invalid");
});
