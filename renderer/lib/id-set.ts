/** Ids as bits: a selection of 100,000 images is 12 kB, and all of them are marked in less than a millisecond. */
export class IdSet {
  #words: Uint32Array<ArrayBuffer>;
  #size = 0;

  constructor(ids: Iterable<number> = []) {
    this.#words = new Uint32Array(64);
    for (const id of ids) this.add(id);
  }

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return (((this.#words[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
  }

  add(id: number): void {
    const at = id >>> 5;
    if (at >= this.#words.length) this.#grow(at);
    const word = this.#words[at] ?? 0;
    const bit = 1 << (id & 31);
    if ((word & bit) !== 0) return;
    this.#words[at] = word | bit;
    this.#size += 1;
  }

  delete(id: number): void {
    const at = id >>> 5;
    const word = this.#words[at] ?? 0;
    const bit = 1 << (id & 31);
    if ((word & bit) === 0) return;
    this.#words[at] = word & ~bit;
    this.#size -= 1;
  }

  clear(): void {
    this.#words.fill(0);
    this.#size = 0;
  }

  copy(): IdSet {
    const other = new IdSet();
    other.#words = this.#words.slice();
    other.#size = this.#size;
    return other;
  }

  /** Ids in rising order. */
  *values(): Generator<number, void, undefined> {
    for (const [at, word] of this.#words.entries()) {
      for (let rest = word; rest !== 0; rest &= rest - 1) yield at * 32 + (31 - Math.clz32(rest & -rest));
    }
  }

  #grow(at: number): void {
    const larger = new Uint32Array(Math.max(at + 1, this.#words.length * 2));
    larger.set(this.#words);
    this.#words = larger;
  }
}

/** Signs that ids may take up in an address. */
export const longestLink = 3000;
/** Ids that the text of an address may stand for. */
export const mostLinked = 1_000_000;

/** Ids as short text for links: runs in base 36, `3-a.15`. */
export function idsToText(ids: Iterable<number>): string {
  const runs: string[] = [];
  let first = -1;
  let last = -2;
  const close = (): void => {
    if (first >= 0) runs.push(first === last ? first.toString(36) : `${first.toString(36)}-${last.toString(36)}`);
  };
  for (const id of ids) {
    if (id !== last + 1) {
      close();
      first = id;
    }
    last = id;
  }
  close();
  return runs.join(".");
}

/** What `idsToText` wrote, at most `limit` ids; null where the text is something else. */
export function idsFromText(text: string, limit: number): number[] | null {
  const ids: number[] = [];
  for (const run of text.split(".")) {
    const match = /^([0-9a-z]{1,7})(?:-([0-9a-z]{1,7}))?$/.exec(run);
    if (match === null) return null;
    const first = parseInt(match[1] ?? "", 36);
    const last = match[2] === undefined ? first : parseInt(match[2], 36);
    if (last < first || ids.length + (last - first) >= limit) return null;
    for (let id = first; id <= last; id++) ids.push(id);
  }
  return ids;
}
