/** What the curves of a pretraining say about it, in words for people who do not read loss curves. */
import type { TrainingSettings } from "./settings.ts";

/** What one iteration measured, as far as health goes; see `RunMetrics` of core/rpc/records.ts. */
export interface HealthMetrics {
  readonly iteration: number;
  readonly loss: number;
  readonly teacherEntropy: number;
  readonly divergence: number;
  readonly clsDeviation: number;
  readonly prototypesUsed: number;
}

/** What the teacher could do at an iteration, as far as health goes; see `RunProbe` of core/rpc/records.ts. */
export interface HealthProbe {
  readonly iteration: number;
  /** Share of pictures whose other crop is the nearest of all. */
  readonly selfRetrieval: number;
  readonly selfRetrievalCount: number;
  /** Share of labelled pictures whose neighbours vote for their label; null without labels. */
  readonly accuracy?: number | null;
  readonly accuracyCount?: number;
  /** Iterations of the first probes on the same pictures and on the same labels; the run's first unless given. */
  readonly picturesSince?: number;
  readonly labelsSince?: number;
}

export type HealthKind =
  | "not-finite"
  | "uniform-collapse"
  | "single-prototype-collapse"
  | "pinned-loss"
  | "vanishing-divergence"
  | "low-deviation"
  | "few-prototypes"
  | "labels-lost"
  | "not-learning"
  | "slow"
  | "too-early"
  | "learning";

/** One thing that the curves say. */
export interface HealthFinding {
  readonly kind: HealthKind;
  /** `collapse`: the run cannot come to any good as it is; `warning`: worth watching; `note`: nothing to do. */
  readonly severity: "collapse" | "warning" | "note";
  readonly sentence: string;
  /** What to change, or null where there is nothing to. */
  readonly advice: string | null;
}

/** Iterations that are averaged: single ones jump with their batch. */
const windowSize = 50;

/**
 * Iterations in which everything looks alike also in good runs: entropy at its most, divergence near 0.2. The paper's runs
 * show it for hundreds to a few thousand iterations; libraries of a few hundred pictures leave it within some hundred.
 */
const settlingTime = 300;

/** Below this share of its most, entropy near 0 means one answer for everything (Caron et al. 2021, figure 7). */
const leastEntropyShare = 0.02;

/** Within this share of its most, entropy means the same answer for everything: all prototypes alike. */
const mostEntropyShare = 0.99;

/**
 * Above this share of its most, entropy alone does not show that anything is learnt: runs too short to learn were at 93 %
 * with two thirds of their iterations done, those that learnt were between 10 and 89 %.
 */
const alikeEntropyShare = 0.9;

/** Self-retrieval rose where it did by more than chance does in one case of forty: by two standard errors. */
const standardErrors = 2;

/** Below so many pictures that error is too large to say anything. */
const fewestRetrieved = 50;

/** Likewise for labels. */
const fewestLabelled = 30;

/** From this share on there is little left for self-retrieval to rise by. */
const retrievedAtOnce = 0.9;

/** Nats. Healthy runs stay between 0.3 and 3; towards 0 student and teacher agree on nothing but a constant. */
const leastDivergence = 0.05;

/** Of 1 / sqrt(width), the deviation of vectors that point everywhere. */
const leastDeviationShare = 0.2;

/**
 * Reads the last iterations of a run, oldest first, and its probes from the first on. Always finds something: what went
 * wrong, the worst first; or one of `too-early`, `learning`, `slow` and `not-learning`. A low loss is no sign of learning
 * (facebookresearch/dino issue 61), so the latter go by entropy and by whether pictures find their other crops.
 */
export function judgeHealth(
  history: readonly HealthMetrics[],
  settings: TrainingSettings,
  probes: readonly HealthProbe[] = [],
): readonly HealthFinding[] {
  const last = history.at(-1);
  const broken = history.find(({ loss, teacherEntropy }) => !Number.isFinite(loss) || !Number.isFinite(teacherEntropy));
  if (broken !== undefined) return [notFinite(broken.iteration)];
  const recent = history.slice(-windowSize);
  if (last === undefined || recent.length < Math.min(windowSize, settings.iterations)) {
    return [tooEarly(last === undefined ? 0 : last.iteration + 1, settings)];
  }
  const done = last.iteration + 1;
  const collapsed = collapses(recent, done, settings);
  const tells = done >= settledAfter(settings) || done === settings.iterations;
  const findings = [...collapsed, ...(tells ? labelsLost(probes) : []), ...warnings(recent, settings)];
  if (done < settledAfter(settings)) return findings.length > 0 ? findings : [tooEarly(done, settings)];
  if (collapsed.length > 0) return findings;
  const progress = progressOf(recent, settings, probes);
  if (progress.kind === "not-learning") return [progress, ...findings];
  return findings.length > 0 ? findings : [progress];
}

/** Iterations after which alikeness is no longer that of the start: those of the warm-up, and time to settle. */
export function settledAfter({ warmupIterations, freezeLastLayer, iterations }: TrainingSettings): number {
  const started = Math.max(warmupIterations, freezeLastLayer);
  return started + Math.min(settlingTime, Math.ceil(iterations / 3)) + windowSize;
}

function collapses(recent: readonly HealthMetrics[], done: number, settings: TrainingSettings): HealthFinding[] {
  const most = Math.log(settings.head.prototypes);
  const entropy = mean(recent, ({ teacherEntropy }) => teacherEntropy);
  const divergence = mean(recent, (metrics) => metrics.divergence);
  const loss = mean(recent, (metrics) => metrics.loss);
  const deviation = mean(recent, ({ clsDeviation }) => clsDeviation);
  const used = mean(recent, ({ prototypesUsed }) => prototypesUsed);
  const healthyDeviation = 1 / Math.sqrt(settings.architecture.width);
  const share = `${(100 * (entropy / most)).toFixed(1)} %`;
  if (entropy < leastEntropyShare * most && divergence < 2 * leastDivergence) {
    return [
      {
        kind: "single-prototype-collapse",
        severity: "collapse",
        sentence: `Every picture gets the same one answer: the teacher's entropy fell to ${share} of its most and the student agrees. What it learns tells nothing apart.`,
        advice: adviceFor(settings, "sharp"),
      },
    ];
  }
  if (done < settledAfter(settings)) return [];
  if (entropy > mostEntropyShare * most) {
    return [
      {
        kind: "uniform-collapse",
        severity: "collapse",
        sentence: `The teacher finds all answers equally likely for every picture: after ${done} iterations its entropy is at ${share} of its most. It is not learning.`,
        advice: adviceFor(settings, "flat"),
      },
    ];
  }
  // A student that is its own teacher goes through this on its way to answers that are all alike.
  if (used < 2 && deviation < leastDeviationShare * healthyDeviation) {
    return [
      {
        kind: "single-prototype-collapse",
        severity: "collapse",
        sentence: `One answer comes first for every picture, and their embeddings lie close together (${percent(deviation / healthyDeviation)} of the deviation of spread-out ones). What it learns tells nothing apart.`,
        advice: adviceFor(settings, "sharp"),
      },
    ];
  }
  if (deviation < (leastDeviationShare / 4) * healthyDeviation) {
    return [
      {
        kind: "low-deviation",
        severity: "collapse",
        sentence: "All pictures get nearly the same embedding.",
        advice: adviceFor(settings, "flat"),
      },
    ];
  }
  if (divergence < leastDivergence) {
    return [
      {
        kind: "vanishing-divergence",
        severity: "collapse",
        sentence: `Student and teacher agree on everything (divergence ${divergence.toFixed(3)}): there is nothing left to learn, which is how a collapse looks.`,
        advice: adviceFor(settings, "sharp"),
      },
    ];
  }
  const spread = Math.max(...recent.map((metrics) => Math.abs(metrics.loss - loss)));
  if (Math.abs(loss - most) < 0.03 * most && spread < 0.002 * most) {
    return [
      {
        kind: "pinned-loss",
        severity: "collapse",
        sentence: `The loss does not move from ${loss.toFixed(2)}, which is what guessing gives (the logarithm of ${settings.head.prototypes} prototypes). It is not learning.`,
        advice: adviceFor(settings, "flat"),
      },
    ];
  }
  return [];
}

function warnings(recent: readonly HealthMetrics[], settings: TrainingSettings): HealthFinding[] {
  const { head, batch, architecture } = settings;
  const done = (recent.at(-1)?.iteration ?? 0) + 1;
  if (done < settledAfter(settings)) return [];
  const findings: HealthFinding[] = [];
  const healthy = 1 / Math.sqrt(architecture.width);
  const deviation = mean(recent, ({ clsDeviation }) => clsDeviation);
  if (deviation < leastDeviationShare * healthy) {
    findings.push({
      kind: "low-deviation",
      severity: "warning",
      sentence: `Embeddings of different pictures lie close together: their deviation is ${percent(deviation / healthy)} of what spread-out ones have.`,
      advice: "Watch the self-retrieval: if it does not rise, lower --teacher-temperature or the learning rate (--lr).",
    });
  }
  // Two global views of each picture can have no more different answers than there are views.
  const possible = Math.min(head.prototypes, 2 * batch);
  const used = mean(recent, ({ prototypesUsed }) => prototypesUsed);
  if (possible >= 8 && used < 0.1 * possible) {
    findings.push({
      kind: "few-prototypes",
      severity: "warning",
      sentence: `Only ${used.toFixed(0)} different answers for ${2 * batch} views: pictures are sorted into few groups.`,
      advice: "Use fewer prototypes (--prototypes), or keep the last layer frozen for longer (--freeze-last-layer).",
    });
  }
  return findings;
}

/** Curves may look well while the user's own labels are told worse than at the start: these have the last word. */
function labelsLost(probes: readonly HealthProbe[]): HealthFinding[] {
  const last = probes.at(-1);
  const first = probes.find(({ iteration }) => iteration === (last?.labelsSince ?? 0));
  if (first === undefined || last === undefined || last === first) return [];
  const { accuracy: before = null, accuracyCount: countBefore = 0 } = first;
  const { accuracy: now = null, accuracyCount: count = 0 } = last;
  if (before === null || now === null || count < fewestLabelled || count !== countBefore) return [];
  const error = Math.sqrt((before * (1 - before) + now * (1 - now)) / count);
  if (before - now <= standardErrors * error) return [];
  return [
    {
      kind: "labels-lost",
      severity: "warning",
      sentence: `Fewer labels are told by their neighbours than ${whenWas(first)}: ${percent(now)} of ${count}, ${percent(before)} then.`,
      advice: "Compare at the end, and discard the model if that stays so; a lower learning rate (--lr) loses less.",
    },
  ];
}

function whenWas({ iteration }: HealthProbe): string {
  return iteration === 0
    ? "before training"
    : `at iteration ${iteration}, since which pictures and labels are the same`;
}

/** How far it has come, where nothing is wrong with its curves. */
function progressOf(
  recent: readonly HealthMetrics[],
  settings: TrainingSettings,
  probes: readonly HealthProbe[],
): HealthFinding {
  const share = mean(recent, ({ teacherEntropy }) => teacherEntropy) / Math.log(settings.head.prototypes);
  const entropy = `entropy at ${percent(share)} of its most`;
  const alike = share > alikeEntropyShare;
  const retrieval = retrievalOf(probes, settings);
  const found =
    retrieval === null ? "" : `${percent(retrieval.now)} of them, ${percent(retrieval.before)} before training`;
  const patience = "More iterations help first (--epochs or --minutes)";
  if (alike && retrieval?.rose === false) {
    return {
      kind: "not-learning",
      severity: "warning",
      sentence: `It is not learning: the teacher's answers are much the same for all pictures (${entropy}), and these find their other crop no more often than at the start (${found}).`,
      advice: adviceFor(settings, "flat"),
    };
  }
  if (alike) {
    const but =
      retrieval === null ? "" : `, though these find their other crop more often than at the start (${found})`;
    return {
      kind: "slow",
      severity: "note",
      sentence: `It learns slowly: the teacher's answers are still much the same for all pictures (${entropy})${but}.`,
      advice: `${patience}; a lower --teacher-temperature makes answers differ sooner.`,
    };
  }
  if (retrieval?.rose === false) {
    return {
      kind: "slow",
      severity: "note",
      sentence: `It learns slowly: the teacher's answers differ from picture to picture (${entropy}), but pictures find their other crop hardly more often than at the start (${found}).`,
      advice: `${patience}, and so do more pictures.`,
    };
  }
  const more = retrieval === null ? "" : `, and more of them find their other crop than at the start (${found})`;
  return {
    kind: "learning",
    severity: "note",
    sentence: `It is learning: the teacher tells pictures apart (${entropy})${more}.`,
    advice: null,
  };
}

/**
 * The probe before training beside the last one, if that was on the same pictures and came late enough to show something;
 * null where they cannot tell.
 */
function retrievalOf(
  probes: readonly HealthProbe[],
  settings: TrainingSettings,
): { readonly before: number; readonly now: number; readonly rose: boolean } | null {
  const [first, last] = [probes.at(0), probes.at(-1)];
  if (first === undefined || last === undefined || first.iteration > 0 || (last.picturesSince ?? 0) > 0) return null;
  if (first.selfRetrievalCount !== last.selfRetrievalCount) return null;
  if (last.iteration < settledAfter(settings) || last.selfRetrievalCount < fewestRetrieved) return null;
  const [before, now] = [first.selfRetrieval, last.selfRetrieval];
  if (before >= retrievedAtOnce) return null;
  const variance = (before * (1 - before) + now * (1 - now)) / last.selfRetrievalCount;
  return { before, now, rose: now - before > standardErrors * Math.sqrt(variance) };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function tooEarly(done: number, settings: TrainingSettings): HealthFinding {
  const after = settledAfter(settings);
  const never = after >= settings.iterations;
  return {
    kind: "too-early",
    severity: "note",
    sentence: `Too early to tell after ${done} iterations: everything looks alike at first, in good runs too.`,
    advice: never
      ? `A run of ${settings.iterations} iterations hardly leaves that time; give it more with --epochs or --minutes.`
      : null,
  };
}

function notFinite(iteration: number): HealthFinding {
  return {
    kind: "not-finite",
    severity: "collapse",
    sentence: `The loss is not a number any more at iteration ${iteration}: the run diverged. The last checkpoint is from before.`,
    advice: "Lower the learning rate (--lr) by half, or clip gradients harder (--clip 0.3), in a new run.",
  };
}

/**
 * What to change first. Settings that are known to collapse by themselves come before the order that the method's
 * users report: lower teacher temperature and longer warm-up, longer freeze of the last layer, lower learning rate.
 */
function adviceFor(settings: TrainingSettings, how: "sharp" | "flat"): string {
  const { centreMomentum, teacherMomentum, teacherTemperature, learningRate, batch } = settings;
  if (centreMomentum === null) return "Centring is off: without it one answer takes over. Leave --no-centring out.";
  if (teacherMomentum < 0.9) {
    return `The teacher follows the student at once (momentum ${teacherMomentum}). Set --teacher-momentum to 0.99 or more.`;
  }
  if (teacherTemperature.end > 0.07) {
    return `The teacher's temperature of ${teacherTemperature.end} is too high to tell answers apart. Set --teacher-temperature to 0.04 or lower.`;
  }
  if (how === "sharp") {
    return "Keep the last layer frozen for longer (--freeze-last-layer), then lower the learning rate (--lr) or use --clip 0.3.";
  }
  const lower = Math.max(0.02, teacherTemperature.end / 2);
  return teacherTemperature.end > 0.02
    ? `Lower --teacher-temperature to ${lower} first; then halve the learning rate (--lr, now ${learningRate.toPrecision(2)}); more iterations help where they are few.`
    : `Halve the learning rate (--lr, now ${learningRate.toPrecision(2)}), use fewer prototypes, or a larger batch than ${batch}.`;
}

function mean(metrics: readonly HealthMetrics[], value: (metrics: HealthMetrics) => number): number {
  return metrics.reduce((sum, one) => sum + value(one), 0) / metrics.length;
}
