import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { openApp, openService } from "../../core/app.ts";
import type { Params, Result } from "../../core/rpc/contract.ts";
import type { EventMessage } from "../../core/rpc/messages.ts";
import { drawLabelled } from "../helpers/pretraining.ts";
import { temporaryFolder } from "../library/support.ts";

test("the first files of an export look like those that it writes, and a filter or a selection decides what is in it", async () => {
  const folder = temporaryFolder();
  const photos = await drawLabelled(join(folder, "photos"));
  const app = openApp({ folder: join(folder, "library"), holder: "test" });
  await app.add(photos, { labelsFromFolders: true });
  await app.close();
  const service = openService({ folder: join(folder, "library"), holder: "test", roots: [folder] });
  const call = async <Name extends "exports.sample" | "jobs.start" | "labels.list">(
    name: Name,
    params: Params<Name>,
  ): Promise<Result<Name>> => (await service.call(name, params, { guest: false })) as Result<Name>;
  try {
    const sample = await call("exports.sample", { format: "csv", scope: { kind: "all" } });
    expect(sample.images).toBe(6);
    const [file] = sample.files;
    expect(file?.path).toBe("labels.csv");
    expect(file?.lines?.[0]).toMatch(/^path,label/);

    const { tree } = await call("labels.list", {});
    const one = tree.find(({ label }) => label.name === "one")?.label.id ?? 0;
    const written = new Promise<EventMessage>((resolve) => {
      service.on((message) => {
        if (message.event === "job" && message.data.job.finishedAt !== null) resolve(message);
      });
    });
    await call("jobs.start", {
      kind: "export",
      parameters: {
        format: "csv",
        folder: join(folder, "out"),
        scope: { kind: "filter", filter: { labelIds: [one] } },
      },
    });
    expect(await written).toMatchObject({ data: { job: { state: "done" }, result: { images: 7 } } });
    const rows = parse<{ label: string }>(readFileSync(join(folder, "out", "labels.csv"), "utf8"), { columns: true });
    expect(rows.map(({ label }) => label)).toEqual(new Array(7).fill("one"));
    const manifest = JSON.parse(readFileSync(join(folder, "out", "manifest.json"), "utf8")) as { options: unknown };
    expect(manifest.options).toMatchObject({ scope: { kind: "images", images: 7 } });

    const folders = await call("exports.sample", { format: "folders", scope: { kind: "images", imageIds: [2, 9] } });
    expect(folders.images).toBe(2);
    expect(folders.files.map(({ path }) => path.split("/").at(-2)).sort()).toEqual(["one", "two"]);
  } finally {
    await service.close();
  }
});
