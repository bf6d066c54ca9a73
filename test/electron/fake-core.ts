/**
 * A core that only speaks to main: it tells on request what it was given, and plays jobs. The last part of the library's
 * path says how it behaves: `locked` refuses, `dies` ends at once, `gone` is not there, `once` does so from its second start on, `silent` never
 * becomes ready, `slow` becomes ready nine seconds after it said that it opens the library, `deaf` outlives stdin,
 * `saving` ends half a second after its stdin and says meanwhile that it does.
 */
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { WebSocketServer, type WebSocket } from "ws";

const lines: unknown[] = [];
const messages: unknown[] = [];
const sockets = new Set<WebSocket>();
let jobs: unknown[] = [];
let behaviour = "";

const say = (message: unknown): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const event = url.searchParams.get("event");
  if (event !== null) for (const socket of sockets) socket.send(event);
  jobs = JSON.parse(url.searchParams.get("jobs") ?? JSON.stringify(jobs)) as unknown[];
  response.end(JSON.stringify({ lines, messages, argv: process.argv, env: process.env, pid: process.pid }));
});
const socketServer = new WebSocketServer({ server, path: "/socket" });
socketServer.on("connection", (socket, { headers }) => {
  const start = lines[0] as { token: string };
  if (headers.authorization !== `Bearer ${start.token}` || headers.origin !== `http://${headers.host}`) {
    return socket.close(4003);
  }
  sockets.add(socket);
  socket.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString("utf8")) as { id: number; method: string; params: { jobId?: number } };
    messages.push(message);
    socket.send(JSON.stringify({ id: message.id, result: message.method === "jobs.list" ? jobs : null }));
    if (message.method !== "jobs.stop") return;
    const job = { id: message.params.jobId, kind: "pretrain", state: "stopped", createdAt: 0, finishedAt: 0 };
    socket.send(JSON.stringify({ event: "job", data: { job, progress: null, halting: null, result: null } }));
  });
});

/** Milliseconds that `slow` takes to open, and `saving` to end. */
const openMs = 9000;
const saveMs = 500;

function start({ library, port }: { library: string; port?: number }): void {
  behaviour = basename(library);
  process.stderr.write(`opening ${behaviour}\n`);
  if (behaviour === "once") {
    if (existsSync(`${library}.started`)) process.exit(3);
    writeFileSync(`${library}.started`, "");
  }
  if (behaviour === "dies") process.exit(3);
  if (behaviour === "silent") return;
  if (behaviour === "gone") {
    for (let line = 0; line < 50; line++) process.stderr.write(`line ${line}\n`);
    // Later, so that the lines are there first: they come by another pipe.
    setTimeout(() => say({ type: "error", code: "library-missing", message: "There is no library." }), 100);
    return;
  }
  if (behaviour === "deaf") setInterval(() => {}, 1000);
  if (behaviour === "locked")
    return say({ type: "error", code: "library-locked", message: "It is open elsewhere.", hint: "Close it there." });
  if (behaviour === "slow") say({ type: "opening" });
  setTimeout(() => listen(port ?? 0), behaviour === "slow" ? openMs : 0);
}

function listen(port: number): void {
  server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object") say({ type: "ready", port: address?.port, cookie: "dinoscope-test" });
  });
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    lines.push(JSON.parse(line));
    if (lines.length === 1) start(lines[0] as { library: string; port?: number });
  })
  .on("close", () => {
    if (behaviour === "deaf") return;
    if (behaviour !== "saving") process.exit(0);
    setInterval(() => say({ type: "ending" }), 50);
    setTimeout(() => process.exit(0), saveMs);
  });
