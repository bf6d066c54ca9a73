import { beforeEach, expect, test, vi } from "vitest";
import type { ShownFinding } from "../../core/rpc/api.ts";
import { Checks, keyOf } from "../../renderer/state/checks.svelte.ts";
import { Core } from "../../renderer/state/core.svelte.ts";
import type { History } from "../../renderer/state/history.svelte.ts";
import type { Images } from "../../renderer/state/images.svelte.ts";
import type { Jobs } from "../../renderer/state/jobs.svelte.ts";
import type { Labelling } from "../../renderer/state/labelling.svelte.ts";
import type { Labels } from "../../renderer/state/labels.svelte.ts";
import type { Library } from "../../renderer/state/library.svelte.ts";
import { Panels } from "../../renderer/state/panels.svelte.ts";
import type { Place } from "../../renderer/state/place.svelte.ts";
import { Toasts } from "../../renderer/state/toasts.svelte.ts";
import { fakeCore, type FakeCore } from "./fake-core.ts";

const finding = (imageId: number): ShownFinding =>
  ({
    kind: "wrong-labels",
    likely: true,
    suggestion: null,
    images: [{ imageId, labelId: 1 }],
  }) as unknown as ShownFinding;
const found = [finding(1), finding(2), finding(3)];
let fake: FakeCore;
let checks: Checks;
const shown = (): string[] => checks.findings.map(keyOf);

beforeEach(async () => {
  vi.useFakeTimers();
  fake = fakeCore();
  Object.assign(fake.answers, { "checks.counts": [], "checks.rareLabels": [], "checks.list": found });
  checks = new Checks({
    core: new Core(fake.client, new Toasts()),
    history: { told: () => undefined } as unknown as History,
    images: {} as Images,
    jobs: {} as Jobs,
    labelling: {} as Labelling,
    labels: {} as Labels,
    library: {} as Library,
    panels: new Panels(),
    place: { view: "checks", route: { extra: {} }, keep: () => undefined } as unknown as Place,
  });
  await checks.load();
  return () => vi.useRealTimers();
});

test("a finding that is dealt with while the list is under way does not come back with it", async () => {
  expect(shown()).toEqual(["1", "2", "3"]);
  const loading = checks.load();
  const keeping = checks.keep();
  fake.answers["checks.list"] = found.slice(1);
  await Promise.all([loading, keeping]);
  expect(shown()).toEqual(["2", "3"]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(shown()).toEqual(["2", "3"]);
});

test("a finding whose dismissal is undone comes back", async () => {
  await checks.keep();
  expect(shown()).toEqual(["2", "3"]);
  fake.say("changed", { kinds: ["findings"], imageIds: null, revision: 2 });
  await vi.advanceTimersByTimeAsync(1000);
  expect(shown()).toEqual(["1", "2", "3"]);
});
