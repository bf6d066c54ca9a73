import { beforeEach, expect, test, vi } from "vitest";
import { encodeImages } from "../../core/rpc/columns.ts";
import type { ModelRow } from "../../core/rpc/views.ts";
import { Core } from "../../renderer/state/core.svelte.ts";
import type { History } from "../../renderer/state/history.svelte.ts";
import type { Jobs } from "../../renderer/state/jobs.svelte.ts";
import type { Labelling } from "../../renderer/state/labelling.svelte.ts";
import type { Library } from "../../renderer/state/library.svelte.ts";
import { Panels } from "../../renderer/state/panels.svelte.ts";
import type { Place } from "../../renderer/state/place.svelte.ts";
import { Review } from "../../renderer/state/review.svelte.ts";
import { Toasts } from "../../renderer/state/toasts.svelte.ts";
import { fakeCore, type FakeCore } from "./fake-core.ts";

const all = [1, 2, 3, 4];
let fake: FakeCore;
let core: Core;
let review: Review;
/** Images without a label, as the core knows them. */
let unlabelled: number[];
/** Answers with lists that are on their way; null lets them through at once. */
let held: (() => void)[] | null;

function listOf(ids: readonly number[]): ArrayBuffer {
  const none = new Uint32Array(ids.length);
  const bytes = encodeImages(
    {
      ids: Uint32Array.from(ids),
      sourceIds: none,
      labelIds: none,
      suggestedLabelIds: none,
      clusterIds: none,
      versions: none,
      aspects: new Float32Array(ids.length),
      scores: new Float32Array(ids.length),
      confidences: new Float32Array(ids.length),
      flags: new Uint8Array(ids.length),
    },
    1,
  );
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

const label = async (id: number): Promise<void> => {
  unlabelled = unlabelled.filter((one) => one !== id);
  review.moveOn([id]);
  await core.change("labels.assign", { target: { ids: [id] }, label: { labelId: 1 } });
};
const changed = (): void =>
  fake.say("changed", { kinds: ["annotations", "labels", "history"], imageIds: null, revision: 2 });

beforeEach(async () => {
  vi.useFakeTimers();
  fake = fakeCore();
  unlabelled = [...all];
  held = null;
  fake.answers["queue.next"] = all.map((id) => ({ image: { id } }));
  Object.assign(fake.answers, { "suggestions.counts": [], "suggestions.precision": [] });
  fake.answers["history.list"] = { operations: [] };
  const bytes = (): Promise<ArrayBuffer> => {
    const list = listOf(unlabelled);
    const answers = held;
    return answers === null ? Promise.resolve(list) : new Promise((resolve) => answers.push(() => resolve(list)));
  };
  core = new Core({ ...fake.client, bytes }, new Toasts());
  const row = { model: { id: 1, name: "m", foreground: null }, embedded: 4, labelled: 0 } as unknown as ModelRow;
  review = new Review({
    core,
    history: {} as History,
    jobs: { views: [] } as unknown as Jobs,
    labelling: {} as Labelling,
    library: { modelId: 1, models: [row] } as unknown as Library,
    panels: new Panels(),
    place: { view: "review", route: { extra: { mode: "diverse" } } } as unknown as Place,
  });
  await review.load();
  return () => vi.useRealTimers();
});

test("a list from before the last label, which comes late, takes nothing back and moves no focus", async () => {
  await label(1);
  held = [];
  changed();
  await vi.advanceTimersByTimeAsync(600);
  expect(held).toHaveLength(1);
  const [late] = held;
  held = null;
  await label(2);
  late?.();
  await vi.advanceTimersByTimeAsync(0);
  expect([...review.decided.keys()]).toEqual([1, 2]);
  expect(review.item?.id).toBe(3);
  await vi.advanceTimersByTimeAsync(2000);
  expect([...review.decided.keys()]).toEqual([1, 2]);
});

test("a label that is taken back opens its image again", async () => {
  await label(1);
  await label(2);
  unlabelled = [2, 3, 4];
  changed();
  await vi.advanceTimersByTimeAsync(2000);
  expect([...review.decided.keys()]).toEqual([1]);
  expect(review.item?.id).toBe(2);
});

test("what is decided while the list is made anew stays decided", async () => {
  held = [];
  const loading = review.load();
  await vi.advanceTimersByTimeAsync(0);
  const answers = held;
  held = null;
  await label(1);
  for (const answer of answers) answer();
  await loading;
  expect([...review.decided.keys()]).toEqual([1]);
  expect(review.item?.id).toBe(2);
});
