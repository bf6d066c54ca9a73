import type { ThumbnailReader } from "../library/database.ts";
import type { ImageFile } from "../library/images.ts";
import { withoutThumbnail } from "../library/thumbnails.ts";
import type { Scan, ScannedFile } from "./scan.ts";

/** What an ingest has to do. */
export interface IngestPlan {
  /** Files to open at paths where the library has an image. */
  readonly toLookAt: readonly { readonly file: ScannedFile; readonly image: ImageFile }[];
  /** Files at paths that the library does not know. */
  readonly fresh: readonly ScannedFile[];
  /** Ids of images whose file is not there any more. */
  readonly gone: readonly number[];
  /** Ids of missing images whose file is back, as it was. */
  readonly found: readonly number[];
  /** Files that are as they were, and need not be opened. */
  readonly unchanged: number;
}

/** A picture that ended the engine would do so again, and three of them in a row would end the job. */
export const crashedPicture = "picture-crashed";

/**
 * Compares the files of a scan with the images that the library has of the source. A file is opened when it is new, when
 * its size or time changed, when it could not be read the last time, or when its thumbnail is gone from the cache.
 */
export function planIngest(
  { files, unseen }: Scan,
  images: Iterable<ImageFile>,
  thumbnails: ThumbnailReader,
): IngestPlan {
  const gone: number[] = [];
  const found: number[] = [];
  const toLookAt: { file: ScannedFile; image: ImageFile }[] = [];
  const paths = new Set<string>();
  /** One image of each content that is there, readable and as before. */
  const shown = new Map<string, { file: ScannedFile; image: ImageFile }>();
  let same = 0;
  for (const image of images) {
    const file = files.get(image.path);
    if (file === undefined) {
      if (!isUnseen(image.path, unseen)) gone.push(image.id);
      continue;
    }
    paths.add(image.path);
    const asBefore = file.byteSize === image.byteSize && file.modifiedAt === image.modifiedAt;
    if (asBefore && image.missingSince !== null) found.push(image.id);
    const unread = image.contentHash === null && image.problem?.code !== crashedPicture;
    if (!asBefore || unread) {
      toLookAt.push({ file, image });
      continue;
    }
    same++;
    if (image.problem === null && image.contentHash !== null) shown.set(image.contentHash, { file, image });
  }
  const withoutThumbnails = withoutThumbnail(thumbnails, [...shown.keys()]).flatMap((key) => shown.get(key) ?? []);
  toLookAt.push(...withoutThumbnails);
  const fresh = [...files.values()].filter(({ path }) => !paths.has(path));
  return { toLookAt, fresh, gone, found, unchanged: same - withoutThumbnails.length };
}

/** Whether a path, or a folder that it lies in, could not be looked at. */
function isUnseen(path: string, unseen: ReadonlySet<string>): boolean {
  if (unseen.size === 0) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
    if (unseen.has(path.slice(0, end))) return true;
  }
  return false;
}
