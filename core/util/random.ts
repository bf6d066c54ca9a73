/** A seeded generator of uniform numbers: the same seed gives the same draws on every machine. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** An integer in [0, bound). */
  integer(bound: number): number;
  /** A number in [low, high). */
  uniform(low: number, high: number): number;
  /** A standard normal number. */
  normal(): number;
  /** The elements of `values` in a random order; the argument is not changed. */
  shuffled<T>(values: readonly T[]): T[];
}

/**
 * sfc32 (Chris Doty-Humphrey's small fast counter generator, from PractRand), seeded by splitmix32 steps. 32-bit
 * integer arithmetic only, so it is exact in JavaScript.
 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const mix = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = mix();
  let b = mix();
  let c = mix();
  let counter = 1;
  const nextInteger = (): number => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };
  for (let i = 0; i < 12; i++) nextInteger();

  let spare: number | undefined;
  const random: Random = {
    next: () => nextInteger() / 2 ** 32,
    integer: (bound) => Math.floor(random.next() * bound),
    uniform: (low, high) => low + (high - low) * random.next(),
    normal: () => {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      // Box-Muller; 1 - next() keeps the logarithm finite.
      const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
      const angle = 2 * Math.PI * random.next();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    shuffled: (values) => {
      const copy = [...values];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = random.integer(i + 1);
        [copy[i], copy[j]] = [copy[j] as (typeof copy)[number], copy[i] as (typeof copy)[number]];
      }
      return copy;
    },
  };
  return random;
}

/**
 * The seed of one generator among many, for `createRandom`: of a run's seed and whole numbers that say which one, as
 * iteration and picture. So a draw can be made again without those before it. The numbers are mixed as by MurmurHash3
 * (Austin Appleby), of which their lower 32 bits count.
 */
export function deriveSeed(seed: number, ...place: readonly number[]): number {
  let hash = seed >>> 0;
  for (const number of place) {
    let k = Math.imul(number >>> 0, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    hash ^= k;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) >>> 0;
  }
  hash ^= 4 * place.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
