import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Calibration, CalibrationRecord } from "../../core/suggest/calibrate.ts";
import { calibrate, confidenceOf, minimumBasis } from "../../core/suggest/calibrate.ts";
import type { Random } from "../../core/util/random.ts";
import { createRandom } from "../../core/util/random.ts";

const shiftedBy = (probability: number, shift: number): number =>
  1 / (1 + ((1 - probability) / probability) * Math.exp(-shift));

/** A world whose probabilities are known: how shares are drawn, and how often a winner of that share is right. */
interface World {
  readonly drawShare: (random: Random) => number;
  readonly probability: (share: number) => number;
  /** Standard deviation of the labels' shifts in log-odds. */
  readonly spread: number;
  readonly labelCount: number;
}

const worlds: Record<string, World> = {
  "rising probability, labels alike": {
    drawShare: (random) => random.next(),
    probability: (share) => 0.05 + 0.9 * share,
    spread: 0,
    labelCount: 20,
  },
  "most votes unanimous, labels alike": {
    drawShare: (random) => (random.next() < 0.5 ? 1 : Math.sqrt(random.next())),
    probability: (share) => 0.02 + 0.93 * share ** 3,
    spread: 0,
    labelCount: 20,
  },
  "most votes unanimous, labels differ": {
    drawShare: (random) => (random.next() < 0.5 ? 1 : Math.sqrt(random.next())),
    probability: (share) => 0.98 * Math.sqrt(share),
    spread: 0.8,
    labelCount: 20,
  },
  "steep probability, labels differ": {
    drawShare: (random) => random.next(),
    probability: (share) => 0.02 + 0.96 / (1 + Math.exp(-10 * (share - 0.5))),
    spread: 0.8,
    labelCount: 20,
  },
};

/** Draws records from a world, and images to ask about with their true probability. */
function draw(world: World, count: number, random: Random): { records: CalibrationRecord[]; truthOf: TruthOf } {
  const shifts = Array.from({ length: world.labelCount }, () => world.spread * random.normal());
  const truthOf = (labelId: number, share: number): number => shiftedBy(world.probability(share), shifts[labelId] ?? 0);
  const records = Array.from({ length: count }, () => {
    const share = world.drawShare(random);
    const winner = random.integer(world.labelCount);
    return { share, winner, truth: random.next() < truthOf(winner, share) ? winner : -1 };
  });
  return { records, truthOf };
}
type TruthOf = (labelId: number, share: number) => number;

/** Over many draws: part of true probabilities inside their interval, mean error and bias, mean interval width. */
function measure(world: World, count: number, repeats: number) {
  const random = createRandom(count);
  const totals = { inside: 0, error: 0, bias: 0, width: 0 };
  const questions = 50;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { records, truthOf } = draw(world, count, random);
    const calibration = calibrate(records);
    for (let question = 0; question < questions; question++) {
      const share = world.drawShare(random);
      const labelId = random.integer(world.labelCount);
      const truth = truthOf(labelId, share);
      const { confidence, low, high } = confidenceOf(calibration, labelId, share);
      totals.inside += low <= truth && truth <= high ? 1 : 0;
      totals.error += Math.abs(confidence - truth);
      totals.bias += confidence - truth;
      totals.width += high - low;
    }
  }
  const mean = (total: number): number => total / (repeats * questions);
  return {
    coverage: mean(totals.inside),
    error: mean(totals.error),
    bias: mean(totals.bias),
    width: mean(totals.width),
  };
}

describe.each(Object.entries(worlds))("%s", (_, world) => {
  test.each([30, 100, 300, 1000])("intervals hold the true probability, from %i labels", (count) => {
    const { coverage, bias, width } = measure(world, count, 60);
    // 60 draws of 50 questions each: about 60 independent trials, so 95 % coverage is seen as 95 +- 3 %. Intervals are
    // on the wide side where labels are alike, as each rests on one group while its neighbours inform the curve too.
    expect(coverage).toBeGreaterThan(0.89);
    // They are not bought by saying nothing.
    expect(width).toBeLessThan({ 30: 0.8, 100: 0.7, 300: 0.55, 1000: 0.4 }[count] ?? 0);
    expect(Math.abs(bias)).toBeLessThan(0.03);
  });

  test("the error shrinks with the number of labels", () => {
    const errors = [30, 300, 3000].map((count) => measure(world, count, 20).error);
    expect(errors[1]).toBeLessThan(0.75 * (errors[0] ?? 0));
    expect(errors[2]).toBeLessThan(0.75 * (errors[1] ?? 0));
  });
});

test("suggestions of about 90 % confidence are right about 90 % of the time", () => {
  const random = createRandom(9);
  const { records, truthOf } = draw(worlds["rising probability, labels alike"] as World, 2000, random);
  const calibration = calibrate(records);
  const bins = Array.from({ length: 10 }, () => ({ confidence: 0, truth: 0, count: 0 }));
  for (let i = 0; i < 20_000; i++) {
    const share = random.next();
    const labelId = random.integer(20);
    const { confidence } = confidenceOf(calibration, labelId, share);
    const bin = bins[Math.floor(confidence * 10)];
    if (bin === undefined) continue;
    bin.confidence += confidence;
    bin.truth += truthOf(labelId, share);
    bin.count++;
  }
  for (const { confidence, truth, count } of bins) {
    // A tenth of 2,000 records: their rate has a standard error of 3.5 % at most, and this allows two.
    if (count > 100) expect(Math.abs(confidence - truth) / count).toBeLessThan(0.07);
  }
});

describe("few labels", () => {
  test("without any, the confidence is a half and the interval everything", () => {
    const calibration = calibrate([]);
    expect(calibration).toMatchObject({ basis: 0, sufficient: false });
    expect(confidenceOf(calibration, 1, 0.7)).toEqual({ confidence: 0.5, low: 0, high: 1 });
  });

  test("a handful that were all right do not make certainty", () => {
    const calibration = calibrate(Array.from({ length: 6 }, () => ({ share: 1, winner: 1, truth: 1 })));
    const { confidence, low, high } = confidenceOf(calibration, 1, 1);
    expect(calibration).toMatchObject({ basis: 6, sufficient: false });
    expect(confidence).toBeLessThan(0.95);
    // Wilson's lower limit of 6 in 6 is 0.61.
    expect(low).toBeLessThan(0.61);
    expect(high).toBeGreaterThan(0.99);
    // Nothing was seen at smaller shares.
    expect(confidenceOf(calibration, 1, 0.2).low).toBeLessThan(low / 2);
  });

  test("the calibration says when it has enough of them", () => {
    const records = Array.from({ length: minimumBasis }, (_, i) => ({
      share: i / minimumBasis,
      winner: 1,
      truth: i % 2,
    }));
    expect(calibrate(records).sufficient).toBe(true);
    expect(calibrate(records.slice(1)).sufficient).toBe(false);
  });
});

describe("labels of their own", () => {
  // Twelve labels right 80 % of the time, one (50) half of the time with many records, one (60) half with two records.
  const records: CalibrationRecord[] = [];
  for (let labelId = 0; labelId < 12; labelId++) {
    for (let i = 0; i < 50; i++) records.push({ share: 0.8, winner: labelId, truth: i % 5 === 0 ? -1 : labelId });
  }
  for (let i = 0; i < 100; i++) records.push({ share: 0.8, winner: 50, truth: i % 2 === 0 ? 50 : -1 });
  for (let i = 0; i < 2; i++) records.push({ share: 0.8, winner: 60, truth: i === 0 ? 60 : -1 });
  const calibration = calibrate(records);
  const of = (labelId: number) => confidenceOf(calibration, labelId, 0.8);
  const width = (labelId: number): number => of(labelId).high - of(labelId).low;

  test("a label with many records goes by them", () => {
    expect(of(50).confidence).toBeGreaterThan(0.48);
    expect(of(50).confidence).toBeLessThan(0.58);
    expect(of(50).high).toBeLessThan(of(0).confidence);
  });

  test("a label with few records stays near the curve, with a wider interval", () => {
    expect(of(60).confidence).toBeGreaterThan(0.65);
    expect(width(60)).toBeGreaterThan(1.3 * width(50));
  });

  test("a label without records has the curve's confidence and the widest interval", () => {
    const unknown = confidenceOf(calibration, 99, 0.8);
    expect(unknown.confidence).toBeCloseTo(valueOnCurve(calibration, 0.8), 12);
    expect(unknown.high - unknown.low).toBeGreaterThan(width(60));
  });

  function valueOnCurve({ confidence }: Calibration, share: number): number {
    return confidence.find((point) => point.share >= share - 1e-9)?.value ?? NaN;
  }
});

test("confidence and limits are probabilities in order, never certain, and never fall as the share rises", () => {
  const record = fc.record({
    share: fc.oneof(fc.constantFrom(0, 0.5, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    winner: fc.integer({ min: 1, max: 3 }),
    truth: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (records, labelId) => {
      const calibration = calibrate(records);
      let before = { confidence: 0, low: 0, high: 0 };
      for (let share = 0; share <= 1; share += 1 / 64) {
        const answer = confidenceOf(calibration, labelId, share);
        expect(answer.confidence).toBeGreaterThan(0);
        expect(answer.confidence).toBeLessThan(1);
        expect(answer.low).toBeLessThanOrEqual(answer.confidence);
        expect(answer.high).toBeGreaterThanOrEqual(answer.confidence);
        // Rounding of logarithms and exponentials near 1.
        expect(answer.confidence).toBeGreaterThanOrEqual(before.confidence - 1e-12);
        before = answer;
      }
      for (const curve of [calibration.confidence, calibration.low, calibration.high]) {
        for (const [i, point] of curve.entries()) {
          expect(point.share).toBeGreaterThan(curve[i - 1]?.share ?? -1);
          expect(point.value).toBeGreaterThanOrEqual(curve[i - 1]?.value ?? 0);
        }
      }
    }),
    { seed: 5, numRuns: 200 },
  );
});

test("the order of the records does not matter", () => {
  const random = createRandom(11);
  const { records } = draw(worlds["steep probability, labels differ"] as World, 400, random);
  const one = calibrate(records);
  const other = calibrate(random.shuffled(records));
  for (const share of [0.1, 0.5, 0.93]) {
    // Sums in another order differ in their last digits.
    expect(confidenceOf(other, 3, share).low).toBeCloseTo(confidenceOf(one, 3, share).low, 9);
    expect(confidenceOf(other, 3, share).confidence).toBeCloseTo(confidenceOf(one, 3, share).confidence, 9);
  }
});

test("a hundred thousand equal records are no trouble, and a share that is none is refused", () => {
  const records = Array.from({ length: 100_000 }, (_, i) => ({ share: 1, winner: 1, truth: i % 10 === 0 ? 2 : 1 }));
  expect(confidenceOf(calibrate(records), 1, 1).confidence).toBeCloseTo(0.9, 4);
  expect(() => calibrate([{ share: NaN, winner: 1, truth: 1 }])).toThrow("from 0 to 1");
});
