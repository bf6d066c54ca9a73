import { describe, expect, test } from "vitest";
import {
  judgeHealth,
  settledAfter,
  type HealthFinding,
  type HealthMetrics,
  type HealthProbe,
} from "../../../core/nn/dino/health.ts";
import { resolveSettings } from "../../../core/nn/dino/presets.ts";

const { settings } = resolveSettings(
  { iterations: 2000, prototypes: 1024, batch: 64 },
  { images: 2000, onCpu: true, start: { kind: "random" } },
);
const most = Math.log(1024);
const spread = 1 / Math.sqrt(settings.architecture.width);
const healthy = { teacherEntropy: 0.6 * most, divergence: 0.9, clsDeviation: 0.9 * spread, prototypesUsed: 90 };

/** The curve of a run that has been at the same numbers for a while, with a little noise. */
function history(length: number, values: Omit<HealthMetrics, "iteration" | "loss">, noise = 0.05): HealthMetrics[] {
  return Array.from({ length }, (_, iteration) => {
    const swing = noise * Math.sin(iteration);
    const { teacherEntropy, divergence } = values;
    return {
      ...values,
      iteration,
      divergence: divergence + swing * divergence,
      loss: teacherEntropy + divergence + swing,
    };
  });
}

const kinds = (metrics: readonly HealthMetrics[], changed: Partial<typeof settings> = {}): string[] =>
  judgeHealth(metrics, { ...settings, ...changed }).map(({ kind }) => kind);

describe("health", () => {
  test("says learning of a run whose entropy fell and whose divergence is well above 0", () => {
    expect(kinds(history(1000, healthy))).toEqual(["learning"]);
  });

  test("cannot tell before things have settled, whatever they look like", () => {
    const flat = { ...healthy, teacherEntropy: 0.999 * most, divergence: 0.2 };
    expect(kinds([])).toEqual(["too-early"]);
    expect(kinds(history(20, flat))).toEqual(["too-early"]);
    expect(kinds(history(settledAfter(settings) - 1, flat))).toEqual(["too-early"]);
    expect(kinds(history(settledAfter(settings), flat))).toEqual(["uniform-collapse"]);
  });

  test("tells a run that is too short for its own warm-up", () => {
    const [finding] = judgeHealth(history(60, healthy), { ...settings, iterations: 60 });
    expect(finding).toMatchObject({ kind: "too-early", advice: expect.stringContaining("--epochs") as string });
  });

  test("knows the mode in which every answer is as likely as any other", () => {
    const [finding] = judgeHealth(
      history(1500, { ...healthy, teacherEntropy: 0.998 * most, divergence: 0.01 }),
      settings,
    );
    expect(finding).toMatchObject({ kind: "uniform-collapse", severity: "collapse" });
    expect(finding?.advice).toContain("--teacher-temperature");
  });

  test("knows the mode in which one answer takes over, however early", () => {
    const one = { ...healthy, teacherEntropy: 0.001, divergence: 0.0005, prototypesUsed: 1 };
    expect(kinds(history(80, one))).toEqual(["single-prototype-collapse"]);
  });

  test("names the setting that is known to collapse before any other", () => {
    const flat = history(1500, { ...healthy, teacherEntropy: most });
    const advice = (changed: Partial<typeof settings>): string =>
      judgeHealth(flat, { ...settings, ...changed })[0]?.advice ?? "";
    expect(advice({ centreMomentum: null })).toContain("--no-centring");
    expect(advice({ teacherMomentum: 0 })).toContain("--teacher-momentum");
    expect(advice({ teacherTemperature: { start: 0.04, end: 0.3, warmup: 10 } })).toContain("0.3");
  });

  test("sees a loss that is pinned at guessing, as in facebookresearch/dinov2 issue 407", () => {
    const pinned = { ...healthy, teacherEntropy: 0.97 * most, divergence: 0.03 * most };
    expect(kinds(history(1500, pinned, 0.0001))).toEqual(["pinned-loss"]);
  });

  test("sees student and teacher agree on everything", () => {
    expect(kinds(history(1500, { ...healthy, divergence: 0.01 }))).toEqual(["vanishing-divergence"]);
  });

  test("warns of embeddings that lie close together and of few answers, without calling it a collapse", () => {
    const findings = judgeHealth(
      history(1500, { ...healthy, clsDeviation: 0.15 * spread, prototypesUsed: 5 }),
      settings,
    );
    expect(findings.map(({ kind, severity }) => [kind, severity])).toEqual([
      ["low-deviation", "warning"],
      ["few-prototypes", "warning"],
    ]);
    expect(kinds(history(1500, { ...healthy, clsDeviation: 0.01 * spread }))).toEqual([
      "low-deviation",
      "low-deviation",
    ]);
  });

  test("names the iteration at which the loss was no number any more", () => {
    const broken = history(100, healthy).map((metrics) =>
      metrics.iteration === 90 ? { ...metrics, loss: NaN } : metrics,
    );
    const [finding] = judgeHealth(broken, settings);
    expect(finding).toMatchObject({ kind: "not-finite", severity: "collapse" });
    expect(finding?.sentence).toContain("90");
  });
});

/**
 * Runs of nano as they were, each at one moment: the mean of the 50 iterations before it. Entropy as a share of its most,
 * deviation as a share of that of spread-out vectors, and self-retrieval before training and at the last probe.
 */
const recorded = {
  learns: { of: 4000, at: 4000, entropy: 0.3, divergence: 0.898, deviation: 0.88, used: 26, retrieval: [0.07, 0.441] },
  learnsSoon: {
    of: 4000,
    at: 750,
    entropy: 0.46,
    divergence: 0.65,
    deviation: 0.77,
    used: 14,
    retrieval: [0.07, 0.078],
  },
  young: { of: 4000, at: 400, entropy: 0.417, divergence: 0.635, deviation: 0.67, used: 7, retrieval: [0.07, 0.078] },
  small: { of: 1500, at: 900, entropy: 0.801, divergence: 0.396, deviation: 0.71, used: 10, retrieval: [0.054, 0.108] },
  short: { of: 450, at: 450, entropy: 0.932, divergence: 0.237, deviation: 0.55, used: 9, retrieval: [0.054, 0.067] },
  sharp: { of: 450, at: 450, entropy: 0.807, divergence: 0.508, deviation: 0.57, used: 6, retrieval: [0.054, 0.058] },
  noCentre: {
    of: 300,
    at: 100,
    entropy: 0.001,
    divergence: 0.028,
    deviation: 0.36,
    used: 1,
    retrieval: [0.054, 0.046],
  },
  ownTeacher: {
    of: 300,
    at: 180,
    entropy: 0.73,
    divergence: 0.632,
    deviation: 0.085,
    used: 1.18,
    retrieval: [0.054, 0.046],
  },
  ownTeacherLater: {
    of: 300,
    at: 300,
    entropy: 0.999,
    divergence: 0.235,
    deviation: 0.07,
    used: 5,
    retrieval: [0.054, 0.037],
  },
} as const;

function judged(name: keyof typeof recorded): ReturnType<typeof judgeHealth> {
  const { of, at, entropy, divergence, deviation, used, retrieval } = recorded[name];
  const own = resolveSettings(
    { iterations: of, batch: 16, prototypes: 1024 },
    { images: 240, onCpu: true, start: { kind: "random" } },
  ).settings;
  const values = { teacherEntropy: entropy * most, divergence, clsDeviation: deviation * spread, prototypesUsed: used };
  const [before, now] = retrieval;
  return judgeHealth(history(at, values, 0.01), own, [
    { iteration: 0, selfRetrieval: before, selfRetrievalCount: 240 },
    { iteration: name === "learnsSoon" ? 400 : at, selfRetrieval: now, selfRetrievalCount: 240 },
  ]);
}

describe("health of runs that were recorded", () => {
  test("is learning where entropy fell and pictures find their other crop more often", () => {
    expect(judged("learns").map(({ kind }) => kind)).toEqual(["learning"]);
    expect(judged("learns")[0]?.sentence).toContain("44 % of them, 7 % before training");
    expect(judged("small").map(({ kind }) => kind)).toEqual(["learning"]);
  });

  test("does not hold a probe from before things settled against a run", () => {
    expect(judged("young").map(({ kind }) => kind)).toEqual(["too-early"]);
    expect(judged("learnsSoon").map(({ kind }) => kind)).toEqual(["learning"]);
  });

  test("is not learning where answers are alike and pictures find their other crop no more often", () => {
    const [finding, ...others] = judged("short");
    expect(finding).toMatchObject({ kind: "not-learning", severity: "warning" });
    expect(finding?.sentence).toContain("93 %");
    expect(finding?.advice).toContain("--teacher-temperature");
    expect(others).toEqual([]);
  });

  test("is slow where answers differ and nothing came of it yet, or the other way round", () => {
    expect(judged("sharp").map(({ kind, severity }) => [kind, severity])).toEqual([["slow", "note"]]);
    const alike = { ...healthy, teacherEntropy: 0.95 * most };
    const probes = [0.05, 0.3].map((selfRetrieval, i) => ({
      iteration: 1000 * i,
      selfRetrieval,
      selfRetrievalCount: 240,
    }));
    const kind = (given: typeof probes): string | undefined =>
      judgeHealth(history(1000, alike), settings, given)[0]?.kind;
    expect(kind(probes)).toBe("slow");
    expect(kind([])).toBe("slow");
  });

  test("is a collapse to one answer without a centre, within a hundred iterations", () => {
    const [finding] = judged("noCentre");
    expect(finding).toMatchObject({ kind: "single-prototype-collapse", severity: "collapse" });
  });

  test("is a collapse with a student for its own teacher: first one answer, then all of them", () => {
    expect(judged("ownTeacher")[0]).toMatchObject({ kind: "single-prototype-collapse", severity: "collapse" });
    expect(judged("ownTeacherLater")[0]).toMatchObject({ kind: "uniform-collapse", severity: "collapse" });
  });

  test("takes few or nearly perfect retrievals for no evidence", () => {
    const alike = { ...healthy, teacherEntropy: 0.6 * most };
    const kind = (selfRetrieval: number, selfRetrievalCount: number): string | undefined =>
      judgeHealth(history(1000, alike), settings, [
        { iteration: 0, selfRetrieval, selfRetrievalCount },
        { iteration: 1000, selfRetrieval, selfRetrievalCount },
      ])[0]?.kind;
    expect(kind(0.1, 12)).toBe("learning");
    expect(kind(0.97, 240)).toBe("learning");
    expect(kind(0.1, 240)).toBe("slow");
  });

  test("is worse than none where the labels are told worse than before, and by more than chance", () => {
    const alike = { ...healthy, teacherEntropy: 0.6 * most };
    const found = { selfRetrieval: 0.9, selfRetrievalCount: 240 };
    const kind = (before: number | null, now: number | null, accuracyCount: number): string | undefined =>
      judgeHealth(history(1000, alike), settings, [
        { iteration: 0, ...found, accuracy: before, accuracyCount },
        { iteration: 1000, ...found, accuracy: now, accuracyCount },
      ])[0]?.kind;
    expect(kind(0.194, 0.056, 240)).toBe("labels-lost");
    expect(kind(0.194, 0.15, 240)).toBe("learning");
    expect(kind(0.194, 0.056, 29)).toBe("learning");
    expect(kind(0.2, 0.8, 240)).toBe("learning");
    expect(kind(null, 0.1, 240)).toBe("learning");
  });

  test("compares labels only with a probe on the same ones, and on as many pictures", () => {
    const alike = { ...healthy, teacherEntropy: 0.6 * most };
    const found = { selfRetrieval: 0.9, selfRetrievalCount: 240 };
    const first = (probes: Omit<HealthProbe, "selfRetrieval" | "selfRetrievalCount">[]): HealthFinding | undefined =>
      judgeHealth(
        history(1000, alike),
        settings,
        probes.map((probe) => ({ ...found, ...probe })),
      )[0];
    const [before, now] = [0.8, 0.2];
    const others = { iteration: 1000, accuracy: now, accuracyCount: 240, labelsSince: 500 };
    expect(first([{ iteration: 0, accuracy: before, accuracyCount: 240 }, others])?.kind).toBe("learning");
    const base = { iteration: 500, accuracy: before, accuracyCount: 240, labelsSince: 500 };
    const lost = first([{ iteration: 0, accuracy: now, accuracyCount: 40 }, base, others]);
    expect(lost?.kind).toBe("labels-lost");
    expect(lost?.sentence).toContain("than at iteration 500");
    expect(first([{ ...base, accuracyCount: 239 }, others])?.kind).toBe("learning");
  });

  test("does not hold self-retrieval of other pictures against a run", () => {
    const alike = { ...healthy, teacherEntropy: 0.6 * most };
    const kind = (last: Partial<HealthProbe>): string | undefined =>
      judgeHealth(history(1000, alike), settings, [
        { iteration: 0, selfRetrieval: 0.4, selfRetrievalCount: 240 },
        { iteration: 1000, selfRetrieval: 0.4, selfRetrievalCount: 240, ...last },
      ])[0]?.kind;
    expect(kind({})).toBe("slow");
    expect(kind({ picturesSince: 500 })).toBe("learning");
    expect(kind({ selfRetrievalCount: 200 })).toBe("learning");
  });
});
