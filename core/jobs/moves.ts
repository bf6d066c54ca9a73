/** Which files are images that the library knows from another place: an image's row follows its content. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Reader, Writer } from "../library/database.ts";
import { markMissing, relinkImages, upsertImages, type ImageMove, type NewImage } from "../library/image-changes.ts";
import { imagesByContentHash } from "../library/images.ts";
import { listSources } from "../library/sources.ts";
import type { Image } from "../rpc/records.ts";

/**
 * For each file that holds what an image held whose own file is gone or holds something else now (`left`, by id): that
 * image as it was. Each image moves once, so of two copies one takes over the row and the other is new.
 */
export async function findMoves(
  db: Reader,
  files: readonly NewImage[],
  left: ReadonlySet<number>,
): Promise<Map<NewImage, Image>> {
  const hashes = files.flatMap(({ contentHash }) => (contentHash === null ? [] : [contentHash]));
  const byHash = Map.groupBy(imagesByContentHash(db, hashes), ({ contentHash }) => contentHash);
  const folders = new Map(listSources(db).map(({ id, folder }) => [id, folder]));
  const moves = new Map<NewImage, Image>();
  const taken = new Set<number>();
  for (const file of files) {
    const candidates = file.contentHash === null ? [] : (byHash.get(file.contentHash) ?? []);
    if (candidates.some((image) => placeOf(image) === placeOf(file))) continue;
    for (const image of candidates) {
      if (taken.has(image.id)) continue;
      if (!left.has(image.id) && !(await isGone(image, file.sourceId, folders))) continue;
      taken.add(image.id);
      moves.set(file, image);
      break;
    }
  }
  return moves;
}

/** Whether an image's file is gone. Of other sources, which this scan has not seen, the disk is asked. */
async function isGone(image: Image, scannedId: number, folders: ReadonlyMap<number, string>): Promise<boolean> {
  if (image.missingSince !== null) return true;
  const folder = folders.get(image.sourceId);
  if (image.sourceId === scannedId || folder === undefined) return false;
  const there = (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    );
  // With its whole folder away (a disk that is not plugged in) a file is not gone for good.
  return (await there(folder)) && !(await there(join(folder, image.path)));
}

/** A file that holds something else than the image of its place, and that image. */
export interface Replaced {
  readonly picture: NewImage;
  readonly owner: Pick<Image, "id" | "modifiedAt">;
}

/** What `rearrange` leaves to be done. */
export interface Rearranged {
  /** Files whose content is of no image that the library knows. */
  readonly unmatched: readonly NewImage[];
  /** Ids of images whose content is not where they are; it may turn up in new files. */
  readonly left: Set<number>;
  /** Images that were moved. */
  readonly moved: number;
}

/** Moves images to the known places where their content is now, such as two files that have swapped names. */
export async function rearrange(db: Writer, replaced: readonly Replaced[]): Promise<Rearranged> {
  const left = new Set(replaced.map(({ owner }) => owner.id));
  const pictures = replaced.map(({ picture }) => picture);
  const moves = await findMoves(db, pictures, left);
  const pushed = pushedOut(moves, new Map(replaced.map(({ picture, owner }) => [placeOf(picture), owner])));
  relinkImages(db, [...[...moves].map(([picture, { id }]) => ({ ...picture, id })), ...pushed]);
  const places = new Set(pictures.map(placeOf));
  markMissing(
    db,
    pushed.filter((move) => !places.has(placeOf(move))).map(({ id }) => id),
  );
  upsertImages(db, [...moves.keys()]);
  for (const { id } of moves.values()) left.delete(id);
  return { unmatched: pictures.filter((picture) => !moves.has(picture)), left, moved: moves.size };
}

/**
 * Where the images go whose places are taken by `moves`, and whose own content was found nowhere: each to the place that
 * is left free at the end of the chain of moves. So no image loses its row, and with it its label, when a file is renamed
 * over another one. `owners` are the images at the places before the moves.
 */
function pushedOut(moves: ReadonlyMap<NewImage, Image>, owners: ReadonlyMap<string, Replaced["owner"]>): ImageMove[] {
  const comingTo = new Map([...moves].map(([picture, image]) => [placeOf(picture), image]));
  const moving = new Set([...moves.values()].map(({ id }) => id));
  const pushed: ImageMove[] = [];
  for (const [picture, image] of moves) {
    const owner = owners.get(placeOf(picture));
    if (owner === undefined || moving.has(owner.id)) continue;
    let last = image;
    for (let next = comingTo.get(placeOf(last)); next !== undefined; next = comingTo.get(placeOf(last))) last = next;
    pushed.push({ id: owner.id, sourceId: last.sourceId, path: last.path, modifiedAt: owner.modifiedAt });
  }
  return pushed;
}

/** A key for where a file is. */
function placeOf({ sourceId, path }: Pick<Image, "sourceId" | "path">): string {
  return `${sourceId}/${path}`;
}
