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
    /** Leads to where training is set up. */
    | { readonly kind: "train" }
  );

/** Offers of one kind under their heading. */
export interface OfferGroup {
  readonly title: string;
  readonly offers: readonly ModelOffer[];
}

/** What the library calls the model that comes with Dinoscope. */
const starterName = "starter";

/** Published models for people who know nothing of transformers; one that is not here is offered in the core's words. */
const publishedWords: Readonly<Record<string, { readonly title: string; readonly text: string }>> = {
  "dino-vits16": {
    title: "DINO small",
    text: "A good eye for shape, material and print, and quick enough for thousands of pictures. The usual choice.",
  },
  "dino-vits8": {
    title: "DINO small, fine",
    text: "Looks at four times as many spots: cleaner masks, and it sees smaller details. Takes about five times as long.",
  },
  "dino-vitb16": {
    title: "DINO base",
    text: "Larger than the small one: tells a few more things apart, and takes longer.",
  },
  "dino-vitb8": {
    title: "DINO base, fine",
    text: "Large and with a fine eye. The slowest; best with a graphics card.",
  },
};

/** What the library has, what can be fetched, and what can be made, best first. */
export function modelOffers(
  models: readonly ModelRow[],
  published: readonly PublishedModel[],
  currentModelId: number | null,
): OfferGroup[] {
  // Copies of other sizes, and of the foreground, have a name that begins like this one's.
  const hasStarter = models.some(({ model }) => model.name.startsWith(starterName));
  const hasUntrained = models.some(({ model }) => !model.trained);
  const groups: OfferGroup[] = [
    { title: "In this library", offers: models.map((row) => present(row, currentModelId)) },
    { title: "Comes with Dinoscope", offers: [...(hasStarter ? [] : [starter]), ...(hasUntrained ? [] : [untrained])] },
    { title: "Made for your pictures", offers: [training, ownFile] },
    { title: "Published by the makers of DINO", offers: published.filter(({ present: there }) => !there).map(fetched) },
  ];
  return groups.filter(({ offers }) => offers.length > 0);
}

function present(row: ModelRow, currentModelId: number | null): ModelOffer {
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
}

const starter: ModelOffer = {
  kind: "starter",
  id: "starter",
  title: "Starter",
  text: "A small model, trained on photos of groceries. Quick, and far better than none; larger models and training on your own pictures go further.",
  note: "At once",
};

// One untrained model is enough.
const untrained: ModelOffer = {
  kind: "random",
  id: "random",
  name: "untrained",
  title: "Untrained",
  text: "Random weights. It groups by colour and rough shape only; a start for training on your own pictures.",
  note: "At once",
};

const training: ModelOffer = {
  kind: "train",
  id: "train",
  title: "Train on your own pictures",
  text: "It teaches itself from the pictures in this library, without labels, and shows how it gets on. For products that everyday photos do not show; some hundred pictures are a start, thousands are better.",
  note: "Minutes to hours",
};

const ownFile: ModelOffer = {
  kind: "file",
  id: "file",
  title: "A checkpoint of your own",
  text: "A DINO or other vision transformer from a file: .pth, .safetensors or .onnx. Nothing in the file is run.",
  note: "From a file",
};

function fetched(one: PublishedModel): ModelOffer {
  const words = publishedWords[one.name];
  return {
    kind: "download",
    id: `download-${one.name}`,
    name: one.name,
    title: words?.title ?? one.name,
    text: words === undefined ? one.summary : `${words.text} Trained on a million everyday photos.`,
    note: `Download, ${bytes(one.byteSize)}`,
  };
}
