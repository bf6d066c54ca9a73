import { describe, expect, test } from "vitest";
import { judgeHealth, settledAfter, type HealthMetrics } from "../../../core/nn/dino/health.ts";
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
