import type { ModelRow, PublishedModel } from "../../core/rpc/views.ts";
import { bytes, counted } from "../lib/words.ts";

interface Offer {
  readonly id: string;
  readonly title: string;
  /** What choosing it means, in plain words. */
  readonly text: string;
  /** A word at the right: where it comes from, what it costs. */
  readonly note: string;
}

/** A way to get a model. */
export type ModelOffer = Offer &
  (
    | { readonly kind: "present"; readonly row: ModelRow }
    | { readonly kind: "download"; readonly name: string }
    | { readonly kind: "file" }
    | { readonly kind: "starter" }
    | { readonly kind: "random"; readonly name: string }
  );

/** What the library calls the model that comes with Dinoscope. */
const starterName = "starter";

/** What the library has, what can be fetched, and what can be made, best first. */
export function modelOffers(
  models: readonly ModelRow[],
  published: readonly PublishedModel[],
  currentModelId: number | null,
): ModelOffer[] {
  const present = models.map((row): ModelOffer => {
    const { model } = row;
    return {
      kind: "present",
      id: `model-${model.id}`,
      row,
      title: model.name,
      text: model.trained
        ? `Trained. It has looked at ${counted(row.embedded, "picture")}.`
        : "Never trained: good for a first look around, poor at telling products apart.",
      note: model.id === currentModelId ? "In use" : "In the library",
    };
  });
  // Copies of other sizes, and of the foreground, have a name that begins like this one's.
  const hasStarter = models.some(({ model }) => model.name.startsWith(starterName));
  const starter: ModelOffer[] = hasStarter
    ? []
    : [
        {
          kind: "starter",
          id: "starter",
          title: "Starter",
          text: "A small model that comes with Dinoscope, trained on photos of groceries. Quick, and far better than none; larger models and training on your own pictures go further.",
          note: "At once",
        },
      ];
  const fetched = published
    .filter(({ present: there }) => !there)
    .map((one): ModelOffer => ({
      kind: "download",
      id: `download-${one.name}`,
      name: one.name,
      title: one.name,
      text: `Published by the makers of DINO, trained on a million everyday photos. ${one.summary}.`,
      note: `Download, ${bytes(one.byteSize)}`,
    }));
  const others: ModelOffer[] = [
    {
      kind: "file",
      id: "file",
      title: "A checkpoint of your own",
      text: "A DINO or other vision transformer from a file: .pth, .safetensors or .onnx. Nothing in the file is run.",
      note: "From a file",
    },
  ];
  // One untrained model is enough.
  if (!models.some(({ model }) => !model.trained)) {
    others.push({
      kind: "random",
      id: "random",
      name: "untrained",
      title: "Untrained",
      text: "Random weights, at once and without a download. It groups by colour and rough shape only; a start for training on your own pictures.",
      note: "At once",
    });
  }
  return [...present, ...starter, ...fetched, ...others];
}
