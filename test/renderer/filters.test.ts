import { expect, test } from "vitest";
import { imageCommands } from "../../renderer/commands/images.ts";
import type { App } from "../../renderer/state/app.svelte.ts";
import { Commands } from "../../renderer/state/commands.svelte.ts";
import { Place } from "../../renderer/state/place.svelte.ts";

test("a key takes filters off one by one, the newest first, and does nothing without any", () => {
  const place = new Place({ read: () => "", write: () => undefined, watch: () => () => undefined });
  const commands = new Commands<App>({ place } as unknown as App, imageCommands);
  const stroke = { key: "Backspace", ctrlKey: true, metaKey: false, altKey: false, shiftKey: false };
  place.narrow({ text: "shelf" });
  place.narrow({ labelled: false });
  place.narrow({ embedded: true, text: "aisle" });
  const left: unknown[] = [];
  while (commands.press(stroke, false)) left.push(place.filter);
  expect(left).toEqual([{ text: "aisle", labelled: false }, { text: "aisle" }, {}]);
  // In a field the key deletes a word.
  place.narrow({ labelled: true });
  expect(commands.press(stroke, true)).toBe(false);
});
