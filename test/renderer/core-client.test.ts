import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connectCore, type LineState, type Socket } from "../../renderer/core-client.ts";
import { CallError } from "../../renderer/lib/problem.ts";

/** A socket that a test speaks through. */
class FakeSocket implements Socket {
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.onclose?.();
  }
  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

describe("the line to the core", () => {
  let sockets: FakeSocket[];
  let states: LineState[];
  const last = (): FakeSocket => sockets.at(-1) ?? new FakeSocket();
  const connect = (): ReturnType<typeof connectCore> => {
    const client = connectCore(() => {
      sockets.push(new FakeSocket());
      return last();
    });
    client.onState((state) => states.push(state));
    return client;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("fetch", () => Promise.reject(new Error("no network in this test")));
    [sockets, states] = [[], []];
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test("answers find their calls in whatever order they come", async () => {
    const client = connect();
    last().onopen?.();
    const first = client.call("labels.list", {});
    const second = client.call("files.roots", {});
    const [a, b] = last().sent.map((text) => JSON.parse(text) as { id: number; method: string });
    expect([a?.method, b?.method]).toEqual(["labels.list", "files.roots"]);
    last().say({ id: b?.id, result: [] });
    last().say({ id: a?.id, result: { tree: [], keys: [] } });
    expect(await second).toEqual([]);
    expect(await first).toEqual({ tree: [], keys: [] });
  });

  test("a refusal carries its code and hint", async () => {
    const client = connect();
    last().onopen?.();
    const call = client.call("labels.list", {});
    last().say({ id: 1, error: { code: "guest-refused", message: "Guests look only.", hint: "Ask the owner." } });
    const error = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallError);
    expect(error).toMatchObject({ code: "guest-refused", message: "Guests look only.", hint: "Ask the owner." });
  });

  test("a cut line refuses what waits, and is tried again", async () => {
    const client = connect();
    last().onopen?.();
    const call = client.call("labels.list", {});
    last().close();
    await expect(call).rejects.toMatchObject({ code: "core-gone" });
    await expect(client.call("labels.list", {})).rejects.toMatchObject({ code: "core-gone" });
    vi.advanceTimersByTime(199);
    expect(sockets.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(sockets.length).toBe(2);
    last().close();
    vi.advanceTimersByTime(200);
    expect(sockets.length).toBe(3);
    last().onopen?.();
    expect(states).toEqual(["open", "lost", "lost", "open"]);
  });

  /** Opens lines to a core that refuses them until `backAt`; returns when the line was open again. */
  function reconnectedAt(backAt: number): number {
    const began = Date.now();
    const client = connectCore(() => {
      const socket = new FakeSocket();
      sockets.push(socket);
      // A closed port refuses at once, an open one answers a moment later.
      const isBack = sockets.length === 1 || Date.now() - began >= backAt;
      setTimeout(() => (isBack ? socket.onopen?.() : socket.close()), isBack ? 20 : 2);
      return socket;
    });
    let openAt = Infinity;
    client.onState((state) => {
      if (state === "open" && sockets.length > 1) openAt = Math.min(openAt, Date.now() - began);
    });
    vi.advanceTimersByTime(20);
    sockets[0]?.close();
    vi.advanceTimersByTime(60_000);
    client.close();
    return openAt;
  }

  test.each([100, 800, 1200, 1700])(
    "a core that is back after %i ms is found before two seconds are over",
    (backAt) => {
      const openAt = reconnectedAt(backAt);
      expect(openAt).toBeGreaterThanOrEqual(backAt);
      expect(openAt - backAt).toBeLessThan(300);
      expect(openAt).toBeLessThan(2000);
    },
  );

  test("a core that stays away is asked less and less often, and found in the end", () => {
    expect(reconnectedAt(30_000)).toBeLessThan(36_000);
    // Fifteen quick tries, and then about one in five seconds.
    expect(sockets.length).toBeLessThan(30);
  });

  test("a closed line is not opened again", () => {
    const client = connect();
    last().onopen?.();
    client.close();
    vi.advanceTimersByTime(60_000);
    expect(sockets.length).toBe(1);
  });
});
