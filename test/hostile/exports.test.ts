import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { expectUnharmed, prepareHome, startCore, workIn } from "./core.ts";

leaveNothingBehind();

const home = sharedFolder();

test.runIf(process.platform !== "win32")(
  "an export waits for no pipe and follows no link that was put in a picture's place, and says which it left out",
  async () => {
    await prepareHome(home);
    const core = await startCore(home);
    const work = workIn(core.library);
    const [first, second] = ["000.jpg", "001.jpg"].map((name) => join(home, "photos", name));
    if (first === undefined || second === undefined) throw new Error("There are two labelled pictures.");
    rmSync(first);
    execFileSync("mkfifo", [first]);
    rmSync(second);
    symlinkSync("/etc/hostname", second);
    const folder = join(home, "export");
    const { job } = await core.job({ kind: "export", parameters: { format: "folders", folder } });
    expect(job.state).toBe("done");
    const { leftOut } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as {
      readonly leftOut: { readonly skipped: readonly { readonly path: string }[] };
    };
    expect(leftOut.skipped.map(({ path }) => path).sort()).toEqual(["000.jpg", "001.jpg"]);
    expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith(".jpg"))).toEqual([]);
    await expectUnharmed(core, work);
    await core.close();
  },
);
