import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { createNeighbours } from "../../core/engine/neighbours.ts";
import { createDevices } from "../../core/engine/devices.ts";
import { everyRow, loadBank } from "../../core/jobs/neighbours.ts";
import { nearestRows, type NeighbourTable } from "../../core/suggest/nearest.ts";
import { createRandom, type Random } from "../../core/util/random.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";

leaveNothingBehind();

let engine: Engine;
beforeAll(() => (engine = createEngine()));
afterAll(() => engine.close());

/** Rows of length 1, as far as float32 goes. */
function unitRows(random: Random, rows: number, width: number): Float32Array {
  const matrix = Float32Array.from({ length: rows * width }, () => random.normal());
  for (let row = 0; row < rows; row++) {
    const values = matrix.subarray(row * width, (row + 1) * width);
    const length = Math.hypot(...values);
    values.forEach((value, i) => (values[i] = value / length));
  }
  return matrix;
}

/** Searches in the engine's process. */
async function searchInEngine(
  bank: Float32Array,
  queries: Float32Array,
  width: number,
  count: number,
  exclude?: Int32Array,
): Promise<NeighbourTable> {
  const loaded = await loadBank(engine, { matrix: bank, width }, "cpu");
  try {
    return await loaded.nearest(queries, count, exclude);
  } finally {
    await loaded.drop();
  }
}

/** Both tables to the last bit: -0 is not 0, and NaN is itself. */
function expectSameBits(found: NeighbourTable, wanted: NeighbourTable): void {
  expect(found.count).toBe(wanted.count);
  const bits = ({ indices, similarities }: NeighbourTable): Buffer[] => [
    Buffer.from(indices.buffer, indices.byteOffset, indices.byteLength),
    Buffer.from(similarities.buffer, similarities.byteOffset, similarities.byteLength),
  ];
  const [foundBits, wantedBits] = [bits(found), bits(wanted)];
  expect(foundBits[0]?.equals(wantedBits[0] ?? Buffer.alloc(1))).toBe(true);
  expect(foundBits[1]?.equals(wantedBits[1] ?? Buffer.alloc(1))).toBe(true);
}

describe("the engine's search equals the plain loop to the last bit", () => {
  test.each([
    { rows: 1, width: 8, queries: 3, count: 5 },
    { rows: 7, width: 3, queries: 4, count: 7 },
    { rows: 40, width: 24, queries: 300, count: 1 },
    { rows: 600, width: 32, queries: 513, count: 20 },
    { rows: 50, width: 16, queries: 10, count: 0 },
  ])("for $rows rows of $width, $queries queries, $count neighbours", async ({ rows, width, queries, count }) => {
    const random = createRandom(rows);
    const [bank, asked] = [unitRows(random, rows, width), unitRows(random, queries, width)];
    expectSameBits(await searchInEngine(bank, asked, width, count), nearestRows(bank, asked, width, count));
  });

  test("with every row left out of its own result", async () => {
    const bank = unitRows(createRandom(2), 400, 16);
    const exclude = everyRow(400);
    const found = await searchInEngine(bank, bank, 16, 10, exclude);
    expectSameBits(found, nearestRows(bank, bank, 16, 10, { exclude }));
    expect(found.indices.some((index, slot) => index === Math.floor(slot / 10))).toBe(false);
    // Asked for more than the others there are: the last place stays empty.
    const few = bank.slice(0, 5 * 16);
    const all = await searchInEngine(few, few, 16, 9, everyRow(5));
    expectSameBits(all, nearestRows(few, few, 16, 9, { exclude: everyRow(5) }));
    expect([...all.indices.slice(0, 5)].at(-1)).toBe(-1);
  });

  test("among duplicates, and rows that float32 cannot tell apart, where the lower row goes first", async () => {
    const random = createRandom(3);
    // 75 copies of four rows: more than the candidates that the device is asked for.
    const base = unitRows(random, 4, 24);
    const bank = new Float32Array(300 * 24);
    for (let row = 0; row < 300; row++) bank.set(base.subarray((row % 4) * 24, ((row % 4) + 1) * 24), row * 24);
    // A third of them differ in one value, by its last bit.
    const bits = new Uint32Array(bank.buffer);
    for (let row = 100; row < 200; row++) bits[row * 24 + (row % 24)] = (bits[row * 24 + (row % 24)] ?? 0) ^ 1;
    for (const exclude of [undefined, everyRow(300)]) {
      const found = await searchInEngine(bank, bank, 24, 15, exclude);
      expectSameBits(found, nearestRows(bank, bank, 24, 15, exclude === undefined ? {} : { exclude }));
    }
  });

  test("in a bank of several blocks of rows, the last one a small one", async () => {
    // Blocks have 65,536 rows.
    const [rows, width] = [2 * 65_536 + 5, 4];
    const random = createRandom(4);
    const bank = unitRows(random, rows, width);
    // Neighbours in each of the blocks, the last rows among them, and the same row in two.
    const queries = unitRows(random, 20, width);
    bank.set(queries.subarray(0, width), (rows - 1) * width);
    bank.set(queries.subarray(width, 2 * width), 65_535 * width);
    bank.set(queries.subarray(width, 2 * width), 65_536 * width);
    const exclude = Int32Array.from({ length: 20 }, (_, i) => (i === 0 ? rows - 1 : -1));
    for (const options of [{}, { exclude }]) {
      const found = await searchInEngine(bank, queries, width, 6, options.exclude);
      expectSameBits(found, nearestRows(bank, queries, width, 6, options));
    }
  });

  test("for more queries than go into one request", async () => {
    const random = createRandom(5);
    const [bank, queries] = [unitRows(random, 20, 4), unitRows(random, 5000, 4)];
    const exclude = Int32Array.from({ length: 5000 }, (_, i) => i % 20);
    expectSameBits(await searchInEngine(bank, queries, 4, 3, exclude), nearestRows(bank, queries, 4, 3, { exclude }));
  });
});

describe("a bank", () => {
  test("is loaded again by itself when the engine was started anew", async () => {
    const bank = unitRows(createRandom(6), 100, 8);
    const loaded = await loadBank(engine, { matrix: bank, width: 8 }, "cpu");
    const wanted = nearestRows(bank, bank, 8, 4);
    expectSameBits(await loaded.nearest(bank, 4), wanted);
    // Killed while it is idle, and again while it is asked.
    process.kill(engine.pid ?? 0, "SIGKILL");
    expectSameBits(await loaded.nearest(bank, 4), wanted);
    const asked = loaded.nearest(bank, 4);
    process.kill(engine.pid ?? 0, "SIGKILL");
    expectSameBits(await asked, wanted);
    await loaded.drop();
    expect(await refusalOfAsync(() => engine.call("nearest", request("bank-never")))).toMatch(/^bank-missing: /);
  });

  test("is loaded to its end when the engine dies in the middle", async () => {
    // Three messages of 4,194,304 values.
    const [rows, width] = [2 ** 17 + 1000, 80];
    const bank = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) bank[row * width + (row % width)] = 1;
    let calls = 0;
    const dying: Engine = {
      pid: undefined,
      close: () => Promise.resolve(),
      call: (method, asked) => {
        const answer = engine.call(method, asked);
        if (method === "loadBank" && ++calls === 2) process.kill(engine.pid ?? 0, "SIGKILL");
        return answer;
      },
    };
    const loaded = await loadBank(dying, { matrix: bank, width }, "cpu");
    // All three once more; the third of the first time was asked where the second was answered before the kill.
    expect(calls).toBeGreaterThanOrEqual(2 + 3);
    const query = bank.slice((rows - 1) * width);
    const found = await loaded.nearest(query, 1);
    expect([...found.indices]).toEqual([(rows - 1) % width]);
    await loaded.drop();
  });

  const request = (bank: string) => ({ bank, queries: new Float32Array(4), count: 1, device: "cpu" as const });

  test("is refused when its parts do not fit, when half of it is there, and when it is out of all measure", async () => {
    const { load, nearest, drop } = createNeighbours(createDevices());
    const part = { bank: "b", rows: 4, width: 4, values: new Float32Array(8).fill(0.5) };
    await load({ ...part, offset: 0 });
    expect(await refusalOfAsync(() => nearest(request("b")))).toMatch(/^bank-mismatch: Only 2 rows of the bank b/);
    expect(await refusalOfAsync(async () => load({ ...part, offset: 3 }))).toMatch(/^bank-mismatch: /);
    expect(await refusalOfAsync(async () => load({ ...part, offset: 2, width: 8 }))).toMatch(/^bank-mismatch: /);
    const large = { ...part, offset: 2, values: new Float32Array(12) };
    expect(await refusalOfAsync(async () => load(large))).toMatch(/^bank-mismatch: /);
    await load({ ...part, offset: 2 });
    expect((await nearest(request("b"))).indices).toHaveLength(1);
    expect(await refusalOfAsync(async () => load({ ...part, offset: 4 }))).toMatch(/^bank-mismatch: /);
    await drop({ bank: "b" });
    expect(await refusalOfAsync(() => nearest(request("b")))).toMatch(/^bank-missing: /);
    const huge = { ...part, offset: 0, rows: 2 ** 28, width: 8 };
    expect(await refusalOfAsync(async () => load(huge))).toMatch(/^bank-too-large: /);
  });
});
