import { createHash } from "node:crypto";
import type { Reader } from "../library/database.ts";
import { listImages } from "../library/images.ts";
import type { Image } from "../rpc/records.ts";
import { filePaths } from "./mask-files.ts";

/** The pictures of a run, in the order that its generators count them in. */
export interface RunPictures {
  readonly imageIds: readonly number[];
  readonly paths: readonly string[];
  readonly contentHashes: readonly string[];
  /** SHA-256 over the content hashes in order. */
  readonly fingerprint: string;
}

/** All images that can be read, in id order. */
export function runPictures(db: Reader): RunPictures {
  const pathOf = filePaths(db);
  const digest = createHash("sha256");
  const imageIds: number[] = [];
  const paths: string[] = [];
  const contentHashes: string[] = [];
  for (const image of everyImage(db)) {
    if (image.problem !== null || image.missingSince !== null) continue;
    imageIds.push(image.id);
    paths.push(pathOf(image));
    contentHashes.push(image.contentHash ?? "");
    digest.update(image.contentHash ?? "");
  }
  return { imageIds, paths, contentHashes, fingerprint: digest.digest("hex") };
}

function* everyImage(db: Reader): Generator<Image> {
  for (let after = 0; ;) {
    const page = listImages(db, { after });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}
