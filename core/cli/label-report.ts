import type { LabelsSummary } from "../rpc/api.ts";
import type { Output } from "./output.ts";
import { counted, number } from "./text.ts";

/** Rows without an image that are listed on a terminal; --json has up to 100. */
const listedRows = 10;

/** Says what a labelling did. */
export function reportLabels(output: Output, summary: LabelsSummary): void {
  const { labelled, unchanged, unmatched, unmatchedCount } = summary;
  output.line(`${counted(labelled, "image")} labelled${unchanged > 0 ? `, ${number(unchanged)} as before` : ""}.`);
  if (unmatchedCount === 0) return;
  output.line(`${number(unmatchedCount)} left out:`);
  for (const { line, path, reason } of unmatched.slice(0, listedRows)) {
    // Labels from folders have no lines.
    const place = [...(line > 0 ? [`line ${line}`] : []), ...(path === "" ? [] : [path])].join(": ");
    output.paragraph(`  ${place}: ${reason}`, 4);
  }
  if (unmatchedCount > listedRows) output.line(`  and ${number(unmatchedCount - listedRows)} more`);
}
