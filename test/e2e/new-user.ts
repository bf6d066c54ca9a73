/**
 * A new user's way from an empty library to 240 labelled sample pictures, with every click and key counted:
 * `node test/e2e/new-user.ts`, after `npm run build`. Clusters are named at sight, then strays are put right, then each
 * family is parted into its products. The truth is used where a person would look at a picture, and nowhere else.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator } from "playwright-core";
import { openService } from "../../core/app.ts";
import type { MethodName, Params, Result } from "../../core/rpc/contract.ts";
import { startServer } from "../../core/server/http.ts";
import { openBrowser, openPage } from "./support.ts";

/** What people need for a click and for a key, in seconds: pointing 1.1, pressing 0.1, a key 0.28 (Card, Moran, Newell 1980). */
const clickSeconds = 1.2;
const keySeconds = 0.28;
const patience = { timeout: 280_000 };

const folder = mkdtempSync(join(tmpdir(), "dinoscope-new-user-"));
const service = openService({ folder: join(folder, "library"), holder: "new-user", roots: [folder] });
const built = process.env["DINOSCOPE_PAGE"];
const server = await startServer(service, built === undefined ? {} : { page: built });
const browser = await openBrowser();
const { page } = await openPage(browser, server.startUrl, { theme: "light" });
/** What the library holds: for looking at a picture and for the figures, never for an act. */
const ask = <Name extends MethodName>(method: Name, parameters: Params<Name>): Promise<Result<Name>> =>
  service.call(method, parameters, { guest: false }) as Promise<Result<Name>>;

const count = { clicks: 0, keys: 0, signs: 0 };
const start = performance.now();

async function click(what: Locator, modifiers: ("ControlOrMeta" | "Shift")[] = []): Promise<void> {
  count.clicks++;
  await what.click({ modifiers, ...patience });
}

async function press(keys: string): Promise<void> {
  count.keys++;
  await page.keyboard.press(keys);
}

/** Types a name into the label field and chooses it. */
async function name(label: string): Promise<void> {
  await press("/");
  count.signs += label.length;
  await page.getByRole("combobox", { name: "Label", exact: true }).fill(label);
  await press("Enter");
}

/** Waits until the core has done what was asked. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await page.waitForTimeout(50);
}

/** What each picture shows, `Jam/Wendlow Cherry`: seen by looking at it. */
const seen = new Map<number, string>();
async function look(): Promise<void> {
  const truth = new Map(
    readFileSync(join(folder, "library/sample/20-1/labels.csv"), "utf8")
      .trim()
      .split("\n")
      .map((row) => row.split(",") as [string, string]),
  );
  for (let id = 1; id <= 240; id++) {
    const { image } = await ask("images.detail", { imageId: id });
    seen.set(id, truth.get(image.path) ?? "");
  }
}
const productOf = (id: number): string => seen.get(id) ?? "";
const familyOf = (id: number): string => productOf(id).split("/")[0] ?? "";

/** The name of the label of each picture by now, by the library. */
async function labels(): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const id of seen.keys()) {
    const { annotation } = await ask("images.detail", { imageId: id });
    found.set(id, annotation?.label ?? "");
  }
  return found;
}

async function tell(stage: string, rightOf: (id: number) => string): Promise<void> {
  await page.waitForTimeout(500);
  const now = await labels();
  const labelled = [...now.values()].filter((label) => label !== "").length;
  const wrong = [...now].filter(([id, label]) => label !== "" && label !== rightOf(id)).length;
  const { operations } = await ask("history.list", { limit: 200 });
  const acts = operations.filter(({ state }) => state === "done").length;
  const hands = count.clicks * clickSeconds + (count.keys + count.signs) * keySeconds;
  console.log(
    `${stage}: ${labelled} labelled, ${wrong} wrong; ${acts} acts, ${count.clicks} clicks, ${count.keys} keys, ` +
      `${count.signs} letters; ${Math.round((performance.now() - start) / 1000)} s of the program, ` +
      `a person's hands some ${Math.round(hands)} s`,
  );
}

function commonest(words: readonly string[]): string {
  const counts = Map.groupBy(words, (word) => word);
  return [...counts].sort(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? "";
}

/** Ctrl-clicks pictures in the grid, from the top down; the wheel is not counted. */
async function mark(ids: readonly number[]): Promise<void> {
  const grid = page.getByRole("listbox", { name: /^Images/ });
  await grid.hover();
  await page.mouse.wheel(0, -100_000);
  for (const id of ids) {
    const tile = page.locator(`[data-image="${id}"]`);
    while ((await tile.count()) === 0) {
      await page.mouse.wheel(0, 400);
      await page.waitForTimeout(30);
    }
    await click(tile, ["ControlOrMeta"]);
  }
}

/** The pictures of the grid in their order. */
function inOrder(wanted: (id: number) => boolean): number[] {
  return [...seen.keys()].sort((a, b) => a - b).filter(wanted);
}

await click(page.getByRole("button", { name: "Open the sample library" }));
await page.getByText("240 images").first().waitFor(patience);
await look();
await click(page.getByRole("button", { name: "Choose a model" }).first());
const starter = page.getByRole("radio", { name: /^Starter/ });
await starter.waitFor(patience);
if (!(await starter.isChecked())) await click(starter);
await click(page.getByRole("button", { name: "Use this model" }));
await page.getByText("Has looked at every image.").waitFor(patience);
await press("Shift+C");
await click(page.getByRole("button", { name: "Group 240 pictures" }));
await page.getByRole("listbox", { name: "Clusters" }).waitFor(patience);
await tell("ready to label", familyOf);

// Each cluster gets the name of what most of its card shows; the focus goes on by itself.
const cards = page.getByRole("listbox", { name: "Clusters" }).getByRole("option");
const known: string[] = [];
for (let at = 0; at < (await cards.count()); at++) {
  const sources = await cards
    .nth(at)
    .locator("img")
    .evaluateAll((images) => images.map((image) => image.getAttribute("src") ?? ""));
  const family = commonest(sources.map((source) => familyOf(Number(/\/thumbnails\/(\d+)/.exec(source)?.[1]))));
  const key = known.indexOf(family);
  if (key >= 0) await press(String(key + 1));
  else {
    await name(family);
    known.push(family);
  }
  await until(async () => ((await cards.nth(at).textContent()) ?? "").includes("all labelled"));
}
await tell("clusters named", familyOf);

// Strays are found in the grid by their badges, family by family.
await press("Shift+G");
const drawn = page.locator("[data-image]");
await drawn.first().waitFor(patience);
for (const [at, family] of known.entries()) {
  const now = await labels();
  const strays = inOrder((id) => familyOf(id) === family && now.get(id) !== family);
  if (strays.length === 0) continue;
  await mark(strays);
  await press(String(at + 1));
  await until(async () => [...(await labels())].every(([id, label]) => !strays.includes(id) || label === family));
  await press("Escape");
  await press("Home");
}
await tell("families right", familyOf);

// Each family holds three products: two are marked and named, what is left is the third.
for (const family of known) {
  await click(page.getByRole("button", { name: new RegExp(`^${family}`) }).first());
  const products = [...new Set([...seen.values()].filter((product) => product.startsWith(`${family}/`)))].sort();
  for (const [at, product] of products.entries()) {
    const members = inOrder((id) => productOf(id) === product);
    if (at === products.length - 1) {
      // What was named before has left the grid by then, as a person sees.
      await page.getByText(`${members.length} images`, { exact: true }).first().waitFor(patience);
      await press("ControlOrMeta+a");
    } else await mark(members);
    await name(product);
    await until(async () => {
      const { annotation } = await ask("images.detail", { imageId: members[0] ?? 0 });
      return annotation !== null && annotation.label.endsWith(product.split("/")[1] ?? "");
    });
    await press("Escape");
  }
}
await tell("products right", (id) => productOf(id).split("/")[1] ?? "");

await browser.close();
await server.close();
await service.close();
rmSync(folder, { recursive: true, force: true });
