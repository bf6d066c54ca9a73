import { beforeEach, expect, test, vi } from "vitest";
import { changeKinds, type Events } from "../../core/rpc/messages.ts";
import { picturesAgain } from "../../renderer/lib/pictures-again.ts";
import { Core } from "../../renderer/state/core.svelte.ts";
import type { History } from "../../renderer/state/history.svelte.ts";
import type { Library } from "../../renderer/state/library.svelte.ts";
import { Picture } from "../../renderer/state/picture.svelte.ts";
import { Toasts } from "../../renderer/state/toasts.svelte.ts";
import { fakeCore, type FakeCore } from "./fake-core.ts";

let fake: FakeCore;
let core: Core;
let changes: Events["changed"][];
const hello = (instance: string, revision: number): void =>
  fake.say("hello", { version: "1", instance, guest: false, revision });

beforeEach(() => {
  fake = fakeCore();
  core = new Core(fake.client, new Toasts());
  changes = [];
  core.on("changed", (change) => changes.push(change));
});

test("the first hello of a page says nothing about changes", () => {
  hello("a", 5);
  expect(changes).toEqual([]);
  expect(core.arrivals).toBe(1);
});

test("a line that was cut for a moment, and missed nothing, has nothing to make up for", () => {
  hello("a", 5);
  fake.say("changed", { kinds: ["labels"], imageIds: null, revision: 6 });
  hello("a", 6);
  expect(changes).toHaveLength(1);
  expect(core.arrivals).toBe(2);
});

test.each([
  ["changes that were missed", "a", 9],
  ["a core that was started again, and counts anew", "b", 5],
])("%s are made up for: whatever is shown is asked for again", (_, instance, revision) => {
  hello("a", 5);
  hello(instance, revision);
  expect(changes).toEqual([{ kinds: changeKinds, imageIds: null, revision }]);
});

test("what an open picture asked for while the core was away is asked for again, even if nothing changed", async () => {
  const picture = new Picture({ core, history: {} as History, library: { modelId: null, model: null } as Library });
  hello("a", 5);
  await picture.open(7, null);
  expect(picture.detail).toBeNull();
  const detail = { image: { id: 7 } };
  fake.answers["images.detail"] = detail;
  hello("a", 5);
  await vi.waitFor(() => expect(picture.detail).toBe(detail));
  expect(changes).toEqual([]);
});

test("pictures that did not come while the core was away are asked for again, and no others", () => {
  const picture = (src: string, complete: boolean, naturalWidth: number) => {
    const asked: string[] = [];
    return {
      asked,
      complete,
      naturalWidth,
      get src() {
        return src;
      },
      set src(value: string) {
        asked.push(value);
      },
    };
  };
  const [broken, there, coming, empty] = [
    picture("/thumbnails/1", true, 0),
    picture("/thumbnails/2", true, 256),
    picture("/thumbnails/3", false, 0),
    picture("", true, 0),
  ];
  expect(picturesAgain([broken, there, coming, empty])).toBe(1);
  expect([broken, there, coming, empty].map(({ asked }) => asked)).toEqual([["/thumbnails/1"], [], [], []]);
});
