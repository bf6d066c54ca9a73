import { CoreError } from "../util/errors.ts";

/** A proportion's confidence interval, 0 <= low <= high <= 1. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Quantile of the standard normal distribution at 0.975: half of a two-sided 95 % interval, in standard errors. */
export const normalQuantile95 = 1.959963984540054;

/**
 * 95 % score interval of a proportion, without continuity correction (Wilson 1927; method 3 of Newcombe 1998; advised
 * for small counts by Brown, Cai and DasGupta 2001). `successes` need not be whole. With no trials it is [0, 1].
 */
export function wilsonInterval(successes: number, trials: number): Interval {
  if (!(successes >= 0 && trials >= successes && trials < Infinity)) {
    throw new CoreError("count-invalid", `Expected 0 <= successes <= trials, found ${successes} of ${trials}.`);
  }
  if (trials === 0) return { low: 0, high: 1 };
  const failures = trials - successes;
  const z2 = normalQuantile95 ** 2;
  const centre = successes + z2 / 2;
  const halfWidth = normalQuantile95 * Math.sqrt((successes * failures) / trials + z2 / 4);
  return {
    // At the ends both terms are equal on paper; their rounding must not leave a limit beside 0 or 1.
    low: successes === 0 ? 0 : (centre - halfWidth) / (trials + z2),
    high: failures === 0 ? 1 : (centre + halfWidth) / (trials + z2),
  };
}
