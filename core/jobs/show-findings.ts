import type { Reader } from "../library/database.ts";
import { imagesByIds } from "../library/images.ts";
import { listLabels } from "../library/labels.ts";
import type { ShownFinding, ShownFoundImage } from "../rpc/api.ts";
import type { CheckKind, FoundImage } from "../rpc/records.ts";
import { currentFindings } from "./check-actions.ts";

/** The first `limit` findings of the last check that still hold, with paths and names. */
export function showFindings(db: Reader, kind: CheckKind, limit: number): ShownFinding[] {
  const findings = currentFindings(db, kind).slice(0, limit);
  const labels = new Map(listLabels(db).map(({ id, name }) => [id, name]));
  const ids = findings.flatMap(({ images, neighbours }) => [...images, ...neighbours].map(({ imageId }) => imageId));
  const paths = new Map(imagesByIds(db, [...new Set(ids)]).map(({ id, path }) => [id, path]));
  const nameOf = (labelId: number | null): string | null => (labelId === null ? null : (labels.get(labelId) ?? null));
  const show = (image: FoundImage): ShownFoundImage => ({
    ...image,
    path: paths.get(image.imageId) ?? "",
    label: nameOf(image.labelId),
  });
  return findings.map((finding) => ({
    ...finding,
    images: finding.images.map(show),
    neighbours: finding.neighbours.map(show),
    suggestedLabel: nameOf(finding.suggestion?.labelId ?? null),
  }));
}
