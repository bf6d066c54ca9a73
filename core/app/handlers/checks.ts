/** Handlers of core/rpc/methods/checks.ts. */
import { currentFindings } from "../../jobs/check-actions.ts";
import type { checkMethods } from "../../rpc/methods/checks.ts";
import type { CheckKind, Operation } from "../../rpc/records.ts";
import type { Handlers, Office } from "../office.ts";

const kinds: readonly CheckKind[] = ["wrong-labels", "twins", "duplicates", "outliers"];

export function checkHandlers(office: Office): Handlers<typeof checkMethods> {
  const { app } = office;
  const told = (operation: Operation | null): Operation | null => {
    if (operation !== null) office.changed(["annotations", "labels", "findings", "history"], null);
    return operation;
  };
  return {
    "checks.counts": () =>
      kinds.map((kind) => {
        const findings = currentFindings(office.library.db, kind);
        return { kind, found: findings.length, likely: findings.filter(({ likely }) => likely).length };
      }),
    "checks.list": ({ kind, limit }) => app.findings(kind, limit),
    "checks.rareLabels": ({ minimum }) => app.rareLabels(minimum),
    "checks.acceptWrongLabels": ({ count }) => told(app.acceptWrongLabels(count)),
    "checks.unifyDuplicates": ({ imageId }) => told(app.unifyDuplicates(imageId)),
    "checks.swapLabels": ({ first, second }) => told(app.swapLabels(first, second)),
    "checks.dismiss": ({ kind, which }) => told(app.dismissChecks(kind, which)),
  };
}
