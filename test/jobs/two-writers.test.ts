import { join } from "node:path";
import { expect, test } from "vitest";
import { listImages } from "../../core/library/images.ts";
import { openLibrary } from "../../core/library/open.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { leaveNothingBehind, outputOf, runCommand, startCommand, until } from "../helpers/processes.ts";
import { prepareLibrary, watchLibrary } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

test("a second command that would write is refused, told who writes, and does not disturb the first", async () => {
  const photos = join(temporaryFolder(), "photos");
  await drawPictures(photos, 60, { seed: 1 });
  const folder = await prepareLibrary();
  const watch = watchLibrary(folder);
  const first = startCommand(folder, "add", photos);
  await until(() => watch.count("jobs") > 0);
  // Stopped, so that it holds the library for as long as this test wants.
  first.child.kill("SIGSTOP");
  const second = await runCommand(folder, "embed", "--model", "tiny", "--device", "cpu");
  first.child.kill("SIGCONT");
  expect(second.code).toBe(1);
  const { code, message } = outputOf(second, "error");
  expect(code).toBe("library-locked");
  expect(message).toContain(`process ${first.child.pid}, \`dinoscope add\`, since `);
  expect(await first.ended).toMatchObject({ code: 0, errors: "" });
  const library = openLibrary(folder, { mode: "read" });
  expect(listImages(library.db)).toHaveLength(60);
  library.close();
  expect(outputOf(await runCommand(folder, "embed", "--device", "cpu"), "embed")).toMatchObject({ embedded: 60 });
});
