/** What a packed core must be able to do, tried far from the checkout and with nothing in its environment. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import sharp from "sharp";
import * as v from "valibot";
import { thumbnailPath } from "../core/rpc/paths.ts";
import { coreLine, type CoreLine, type StartMessage } from "../core/rpc/start.ts";
import { openCoreSocket, type CoreSocket } from "../electron/core-socket.ts";

const run = promisify(execFile);

/** Pictures that the self-test takes in; training wants eight. */
const colours = ["#c33", "#3c3", "#33c", "#cc3", "#3cc", "#c3c", "#ccc", "#333"];

/** A training of two iterations on the smallest network. */
const training = (
  "--device cpu --width 24 --depth 1 --heads 2 --patch 8 --global-size 32 --local-size 16 --crops 1 --source-size 40 " +
  "--head-hidden 16 --bottleneck 8 --prototypes 16 --batch 2 --micro-batch 2 --iterations 2"
).split(" ");

/** Runs the packed terminal; throws when it fails. */
async function terminal(unpacked: string, args: readonly string[]): Promise<string> {
  const node = join(unpacked, "node", "node");
  const { stdout } = await run(node, [join(unpacked, "dist/core/cli.js"), ...args], { cwd: tmpdir(), env: {} });
  return stdout;
}

/** Takes pictures in, looks at them with the starter model on the CPU, and reads it all from SQLite. Throws if it cannot. */
export async function selfTest(unpacked: string, work: string): Promise<void> {
  const pictures = join(work, "pictures");
  mkdirSync(pictures, { recursive: true });
  for (const [index, background] of colours.entries()) {
    const picture = sharp({ create: { width: 64, height: 48, channels: 3, background } });
    await picture.jpeg().toFile(join(pictures, `${index}.jpg`));
  }
  const library = ["--library", join(work, "library")];
  await terminal(unpacked, ["add", pictures, ...library]);
  await terminal(unpacked, ["models", "starter", ...library]);
  await terminal(unpacked, ["embed", "--device", "cpu", ...library]);
  const { models } = JSON.parse(await terminal(unpacked, ["status", "--json", ...library])) as {
    models?: { embedded: number }[];
  };
  if (models?.[0]?.embedded !== colours.length)
    throw new Error("The packed core did not embed the pictures that it was given.");
}

/** Has each of the core's other processes and threads work once, on the library of `selfTest`. `serve` has the last. */
export async function everyProcess(unpacked: string, work: string): Promise<void> {
  const library = ["--library", join(work, "library")];
  const map = join(work, "map.png");
  await terminal(unpacked, ["map", "--out", map, "--device", "cpu", ...library]);
  if (statSync(map).size === 0) throw new Error("The packed core drew no map.");
  await terminal(unpacked, ["pretrain", ...training, "--keep", "no", ...library]);
}

/**
 * Starts the packed core as Electron's main does, loads its page with what that names, asks for what a page asks for,
 * has the sample pictures begun, and sees it end with its stdin. Returns the milliseconds until the page was there.
 */
export async function serve(unpacked: string, work: string): Promise<number> {
  const start = performance.now();
  const core = spawn(join(unpacked, "node", "node"), [join(unpacked, "dist/core/main.js")], { cwd: unpacked, env: {} });
  const ended = new Promise((resolve) => core.once("close", resolve));
  core.stderr.pipe(process.stderr);
  const message: StartMessage = { token: "ab".repeat(32), library: join(work, "library"), allow: [] };
  core.stdin.write(`${JSON.stringify(message)}\n`);
  let ms: number;
  try {
    const said = await startedWith(core.stdout);
    if (said.type !== "ready") throw new Error(`The packed core does not start: ${JSON.stringify(said)}`);
    const origin = `http://127.0.0.1:${said.port}`;
    const ask = async (path: string): Promise<string> => {
      const answer = await fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${message.token}` } });
      if (!answer.ok) throw new Error(`The packed core answers ${answer.status} to ${path}.`);
      return answer.text();
    };
    const page = await ask("/");
    const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
    if (!named.some((path) => path.endsWith(".js"))) throw new Error("The packed page has no script.");
    for (const path of named) await ask(new URL(path, `${origin}/`).pathname);
    ms = performance.now() - start;
    const socket = await connected(origin, said.cookie, message.token);
    await answersPage(socket, ask);
    socket.close();
  } finally {
    core.stdin.end();
  }
  const overdue = setTimeout(() => core.kill("SIGKILL"), 15_000);
  await ended;
  clearTimeout(overdue);
  if (core.signalCode !== null) throw new Error("The packed core did not end with its stdin.");
  return ms;
}

/** What a core says once it has opened its library. */
async function startedWith(stream: NodeJS.ReadableStream): Promise<CoreLine> {
  for await (const line of createInterface({ input: stream })) {
    const said = v.parse(coreLine, JSON.parse(line));
    if (said.type !== "opening") return said;
  }
  throw new Error("The packed core ended without a word.");
}

async function connected(origin: string, cookie: string, token: string): Promise<CoreSocket> {
  let socket: CoreSocket | undefined;
  await new Promise<void>((resolve) => {
    socket = openCoreSocket({ origin, cookie, token }, () => {}, resolve);
  });
  if (socket === undefined) throw new Error("The packed core lets nobody in.");
  return socket;
}

/** What a page asks first, a thumbnail, and a job that starts the process that draws sample pictures. */
async function answersPage({ call }: CoreSocket, ask: (path: string) => Promise<string>): Promise<void> {
  const { images } = await call("library.overview", {});
  if (images.ready !== colours.length) throw new Error(`The packed core serves ${images.ready} pictures.`);
  await ask(thumbnailPath(1, 0));
  const job = await call("jobs.start", { kind: "ingest", parameters: { sample: { photosPerSku: 1 } } });
  for (;;) {
    const view = (await call("jobs.list", { limit: 50 })).find((one) => one.job.id === job.id);
    if (view?.job.state === "failed") throw new Error(`No sample pictures: ${view.job.problem?.message}`);
    if (view?.job.state === "done" || (view?.progress?.done ?? 0) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
