import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { encodeImages, type ImageColumns } from "../../core/rpc/columns.ts";
import type { EventMessage } from "../../core/rpc/messages.ts";
import type { LabelNode } from "../../core/rpc/views.ts";
import type { CoreClient } from "../../renderer/core-client.ts";
import { nextStepOf } from "../../renderer/lib/next-step.ts";
import { CallError } from "../../renderer/lib/problem.ts";
import { Core } from "../../renderer/state/core.svelte.ts";
import { History } from "../../renderer/state/history.svelte.ts";
import { Images } from "../../renderer/state/images.svelte.ts";
import { Labelling } from "../../renderer/state/labelling.svelte.ts";
import { Labels } from "../../renderer/state/labels.svelte.ts";
import { Place } from "../../renderer/state/place.svelte.ts";
import { Preferences } from "../../renderer/state/preferences.svelte.ts";
import { Selection } from "../../renderer/state/selection.svelte.ts";
import { Toasts } from "../../renderer/state/toasts.svelte.ts";

/** A core that answers from a table, and says what it was asked. */
class FakeCore {
  asked: { method: string; params: unknown }[] = [];
  answers: Record<string, unknown> = {};
  columns: ImageColumns = columnsOf(3);
  /** What lists are refused with. */
  refusal: CallError | null = null;
  /** Lists that were asked for, and the revision that they are of. */
  lists = 0;
  revision = 1;
  #listener: (message: EventMessage) => void = () => undefined;

  client(): CoreClient {
    return {
      call: (method, params) => {
        this.asked.push({ method, params });
        const answer = this.answers[method];
        return (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? null)) as never;
      },
      bytes: () => {
        this.lists += 1;
        if (this.refusal !== null) return Promise.reject(this.refusal);
        return Promise.resolve(encodeImages(this.columns, this.revision).buffer as ArrayBuffer);
      },
      onEvent: (listener) => (this.#listener = listener),
      onState: () => undefined,
      retry: () => undefined,
      close: () => undefined,
    };
  }

  say(message: EventMessage): void {
    this.#listener(message);
  }
}

/** Images 1, 2, 3, … without labels. */
function columnsOf(count: number): ImageColumns {
  const zeros = (): Uint32Array<ArrayBuffer> => new Uint32Array(count);
  return {
    ids: zeros().map((_, at) => at + 1),
    sourceIds: zeros(),
    labelIds: zeros(),
    suggestedLabelIds: zeros(),
    clusterIds: zeros(),
    versions: zeros(),
    aspects: new Float32Array(count).fill(1),
    scores: new Float32Array(count),
    confidences: new Float32Array(count),
    flags: new Uint8Array(count),
  };
}

function node(id: number, name: string, children: readonly LabelNode[] = []): LabelNode {
  return { label: { id, name, parentId: null }, imageCount: 0, totalImageCount: 0, children };
}

let fake: FakeCore;
let core: Core;
let toasts: Toasts;

beforeEach(() => {
  vi.useFakeTimers();
  fake = new FakeCore();
  toasts = new Toasts();
  core = new Core(fake.client(), toasts);
});
afterEach(() => vi.useRealTimers());

describe("labels and their keys", () => {
  test("labels get keys in the order they were made, but not those of commands or of others", async () => {
    const labels = new Labels(core);
    labels.taken = (key) => key === "2";
    fake.answers["labels.list"] = {
      tree: [node(9, "Drinks", [node(5, "Oat"), node(3, "Soy")]), node(4, "Tea"), node(7, "Salt")],
      keys: [{ labelId: 4, key: "1" }],
    };
    await labels.load();
    expect(labels.rows.map(({ path, key }) => [path, key])).toEqual([
      ["Drinks", null],
      ["Drinks / Oat", "4"],
      ["Drinks / Soy", "3"],
      ["Tea", "1"],
      ["Salt", "5"],
    ]);
    expect(labels.ofKey("4")?.label.name).toBe("Oat");
    expect(labels.below(9)).toEqual([9, 5, 3]);
  });

  test("below its parent a label need not say the parent's name again", async () => {
    const labels = new Labels(core);
    const below = ["Drinks/Oat", "Drinks", "Drinks/", "Drinksome", "Soy"].map((name, i) => node(10 + i, name));
    fake.answers["labels.list"] = { tree: [node(1, "Drinks", below), node(2, "Drinks/Tea")], keys: [] };
    await labels.load();
    expect(labels.rows.map(({ shortName }) => shortName)).toEqual([
      ...["Drinks", "Oat", "Drinks", "Drinks/", "Drinksome", "Soy"],
      "Drinks/Tea",
    ]);
  });
});

describe("the list of images", () => {
  const hello = (revision: number): void =>
    fake.say({ event: "hello", data: { version: "1", instance: "a", guest: false, revision } });

  test("is there before the line, and asked for once where nothing changed meanwhile", async () => {
    const images = new Images(core);
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    expect(images.count).toBe(3);
    hello(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(fake.lists).toBe(1);
  });

  test("is asked for again where it was there before a change that nobody told of", async () => {
    const images = new Images(core);
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    [fake.columns, fake.revision] = [columnsOf(4), 2];
    hello(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(images.count).toBe(4);
    expect(fake.lists).toBe(2);
  });

  test("is asked for again where it was under way during such a change", async () => {
    const images = new Images(core);
    images.show({});
    vi.advanceTimersToNextTimer();
    [fake.columns, fake.revision] = [columnsOf(4), 2];
    hello(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(images.count).toBe(4);
    expect(fake.lists).toBe(2);
  });
});

describe("labelling", () => {
  function desk(): { images: Images; place: Place; selection: Selection; labelling: Labelling } {
    const images = new Images(core);
    const selection = new Selection();
    const place = new Place({ read: () => "", write: () => undefined, watch: () => () => undefined });
    const history = new History(core, toasts);
    const labelling = new Labelling({ core, history, images, labels: new Labels(core), place, selection });
    return { images, place, selection, labelling };
  }

  test("a label is seen before the core answers, and the next image is next", async () => {
    const { images, selection, labelling } = desk();
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    selection.point(2);
    fake.answers["labels.assign"] = { operation: null, images: 1 };
    void labelling.assign({ labelId: 8 });
    expect(images.labelOf(2)).toBe(8);
    expect(selection.focus).toBe(3);
    await vi.advanceTimersByTimeAsync(0);
    expect(fake.asked.at(-1)).toEqual({
      method: "labels.assign",
      params: { target: { ids: [2] }, label: { labelId: 8 } },
    });
  });

  test("an open picture is stepped through as the view below has it, and one that strayed comes back", async () => {
    const { images, place, selection, labelling } = desk();
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    labelling.within = { target: () => [], moveOn: () => undefined, sequence: () => ({ ids: [3, 9, 1], name: "it" }) };
    place.go({ imageId: 9 });
    labelling.follow(9);
    labelling.step(1);
    expect(place.imageId).toBe(1);
    labelling.follow(1);
    labelling.step(1);
    expect(place.imageId).toBe(1);
    // A neighbour that the list has not: the next one is the one after where it was left.
    labelling.step(-1);
    labelling.follow(9);
    place.go({ imageId: 77 });
    labelling.follow(77);
    labelling.step(1);
    expect(place.imageId).toBe(1);
    // Closed, and opened from a selection of the map: that is gone through and stays selected.
    labelling.unfollow();
    labelling.within = null;
    place.go({ view: "map" });
    selection.replace([3, 1]);
    place.go({ imageId: 1 });
    labelling.follow(1);
    labelling.step(1);
    expect([place.imageId, selection.count]).toEqual([3, 2]);
  });

  test("a list that was under way does not take a new label away", async () => {
    const { images } = desk();
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    images.show({ filter: { text: "a" } });
    images.putLabel([1], 8);
    await vi.advanceTimersByTimeAsync(10);
    expect(images.labelOf(1)).toBe(8);
    images.reload();
    await vi.advanceTimersByTimeAsync(10);
    expect(images.labelOf(1)).toBe(0);
  });

  test("a refusal is said, and what was shown too early is taken back", async () => {
    const { images, selection, labelling } = desk();
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    selection.point(1);
    fake.answers["labels.assign"] = new CallError({ code: "label-unknown", message: "There is no label 8." });
    await labelling.assign({ labelId: 8 });
    await vi.advanceTimersByTimeAsync(10);
    expect(images.labelOf(1)).toBe(0);
    expect(toasts.list.map(({ message }) => message)).toEqual(["There is no label 8."]);
    expect(core.saving).toBe(0);
  });

  test("a label that is refused while the line is cut leaves the pictures where they are", async () => {
    const { images, selection, labelling } = desk();
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    const { count } = images;
    selection.point(1);
    fake.refusal = new CallError({ code: "core-gone", message: "The core does not answer." });
    fake.answers["labels.assign"] = fake.refusal;
    core.line = "lost";
    await labelling.assign({ labelId: 8 });
    images.reload();
    await vi.advanceTimersByTimeAsync(10);
    expect([images.state, images.count, images.labelOf(1)]).toEqual(["ready", count, 0]);
  });

  test("nothing moves on before a new name was taken", async () => {
    const { images, selection, labelling } = desk();
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    selection.point(1);
    fake.answers["labels.assign"] = new CallError({ code: "label-invalid", message: "Too long." });
    await labelling.assign({ path: "x".repeat(300) });
    expect(selection.focus).toBe(1);
  });

  test("the next unlabelled image is found past labelled ones, round the end", async () => {
    const { images } = desk();
    fake.columns = { ...columnsOf(4), labelIds: Uint32Array.from([0, 3, 3, 3]) };
    images.show({});
    await vi.advanceTimersByTimeAsync(10);
    expect(images.nextUnlabelled(1)).toBe(0);
    images.putLabel([1], 3);
    expect(images.nextUnlabelled(1)).toBe(-1);
  });
});

describe("what the user likes", () => {
  test("is read with care and written a moment later, once", async () => {
    const preferences = new Preferences(core);
    fake.answers["settings.get"] = { "page.zoom": 200, "page.theme": "pink", "page.keys": { undo: ["U"], bad: 3 } };
    await preferences.load();
    expect(preferences.choices).toMatchObject({ zoom: 200, theme: "system", keys: { undo: ["U"] } });
    preferences.set("zoom", 220);
    preferences.set("zoom", 230);
    await vi.advanceTimersByTimeAsync(1000);
    expect(fake.asked.filter(({ method }) => method === "settings.set")).toEqual([
      { method: "settings.set", params: { key: "page.zoom", value: 230 } },
    ]);
  });
});

describe("short words", () => {
  test("one about the same thing takes the place of the last, and Escape takes the newest away", () => {
    toasts.show({ kind: "done", topic: "history", message: "Undone: a" });
    toasts.show({ kind: "problem", message: "No room left." });
    toasts.show({ kind: "done", topic: "history", message: "Undone: b" });
    toasts.show({ kind: "problem", message: "No room left." });
    expect(toasts.list.map(({ message }) => message)).toEqual(["Undone: b", "No room left."]);
    expect(toasts.dismissNewest()).toBe(true);
    expect(toasts.list.map(({ message }) => message)).toEqual(["Undone: b"]);
    expect([toasts.dismissNewest(), toasts.dismissNewest()]).toEqual([true, false]);
  });

  test("what was done leaves by itself, what went wrong stays, three at most", () => {
    toasts.show({ kind: "done", message: "a" });
    toasts.show({ kind: "problem", message: "b" });
    vi.advanceTimersByTime(8000);
    expect(toasts.list.map(({ message }) => message)).toEqual(["b"]);
    for (const message of ["c", "d", "e"]) toasts.show({ kind: "done", message });
    expect(toasts.list.map(({ message }) => message)).toEqual(["c", "d", "e"]);
  });
});

test("the next step is the one that is missing", () => {
  const all = { images: 100, labelled: 0, embedded: 100, suggestions: 0, busy: false };
  expect(nextStepOf({ ...all, images: 0 })).toBeNull();
  expect(nextStepOf({ ...all, embedded: null })).toEqual({ kind: "model" });
  expect(nextStepOf({ ...all, embedded: 40 })).toEqual({ kind: "embed", count: 60 });
  expect(nextStepOf({ ...all, embedded: 40, busy: true })).toBeNull();
  expect(nextStepOf(all)).toEqual({ kind: "label" });
  expect(nextStepOf({ ...all, labelled: 4 })).toBeNull();
  expect(nextStepOf({ ...all, labelled: 12 })).toEqual({ kind: "suggest", count: 12 });
  expect(nextStepOf({ ...all, labelled: 12, suggestions: 80 })).toBeNull();
});
