/** What is on the shelf: four families of three packs. Every brand is made up. */

/** How a family's pack is built. */
export type Shape = "carton" | "box" | "jar" | "bag";

/** The picture of what is inside, printed on the pack. */
export type Flavour =
  | "oat"
  | "vanilla"
  | "coffee"
  | "honey"
  | "cocoa"
  | "almond"
  | "strawberry"
  | "raspberry"
  | "cherry"
  | "salt"
  | "paprika"
  | "chive";

/** One product that a shop counts by itself. It differs from its family in the last three fields only. */
export interface Sku {
  readonly family: Family;
  readonly name: string;
  /** The variant in capitals, as printed. */
  readonly words: string;
  readonly claim: string;
  readonly flavour: Flavour;
  /** Colour of the variant's band, a small part of the face. */
  readonly band: string;
}

/** Packs with the same brand, form and layout. Lengths in millimetres. */
export interface Family {
  readonly name: string;
  readonly shape: Shape;
  readonly brand: string;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
}

/** A row of the table below: name, words, claim, flavour, band. */
type Variant = readonly [name: string, words: string, claim: string, flavour: Flavour, band: string];

function range(family: Family, variants: readonly Variant[]): Sku[] {
  return variants.map(([name, words, claim, flavour, band]) => ({ family, name, words, claim, flavour, band }));
}

/** Every product, family by family. */
export const catalogue: readonly Sku[] = [
  ...range({ name: "Oat drink", shape: "carton", brand: "OLUVA", width: 74, height: 196, depth: 60 }, [
    ["Oluva Original", "ORIGINAL", "NO ADDED SUGAR", "oat", "#5f8596"],
    ["Oluva Vanilla", "VANILLA", "LIGHTLY SWEET", "vanilla", "#b39a5c"],
    ["Oluva Barista", "BARISTA", "FOAMS EASILY", "coffee", "#8c7464"],
  ]),
  ...range({ name: "Cereal", shape: "box", brand: "TUMBRIN", width: 186, height: 270, depth: 56 }, [
    ["Tumbrin Honey", "HONEY", "WITH REAL HONEY", "honey", "#c07c1f"],
    ["Tumbrin Cocoa", "COCOA", "WITH DARK COCOA", "cocoa", "#7c4526"],
    ["Tumbrin Almond", "ALMOND", "WITH ROAST NUTS", "almond", "#a5683a"],
  ]),
  ...range({ name: "Jam", shape: "jar", brand: "WENDLOW", width: 72, height: 104, depth: 72 }, [
    ["Wendlow Strawberry", "STRAWBERRY", "60% FRUIT", "strawberry", "#b5303c"],
    ["Wendlow Raspberry", "RASPBERRY", "55% FRUIT", "raspberry", "#ab2c55"],
    ["Wendlow Cherry", "CHERRY", "65% FRUIT", "cherry", "#87223a"],
  ]),
  ...range({ name: "Crisps", shape: "bag", brand: "ZAFFRIK", width: 158, height: 222, depth: 52 }, [
    ["Zaffrik Sea Salt", "SEA SALT", "HAND COOKED", "salt", "#3f7391"],
    ["Zaffrik Paprika", "PAPRIKA", "SWEET & SMOKY", "paprika", "#a5503f"],
    ["Zaffrik Chive", "CHIVE", "CREAM & HERBS", "chive", "#587f43"],
  ]),
];

/** The label path of a product: its family, then its own name. */
export function labelOf(sku: Sku): string {
  return `${sku.family.name}/${sku.name}`;
}
