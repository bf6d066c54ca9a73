import { decodeGrid, type PatchGrid } from "../../core/rpc/columns.ts";
import type { MaskChoice } from "../../core/rpc/contract.ts";
import type { Problem } from "../../core/rpc/messages.ts";
import { lookSize } from "../../core/rpc/look-size.ts";
import { attentionPath } from "../../core/rpc/paths.ts";
import type { MaskMethod } from "../../core/rpc/records.ts";
import type { ImageDetail, MaskPreview, ShownMask } from "../../core/rpc/views.ts";
import { calmly } from "../lib/calmly.ts";
import { attentionHeat } from "../lib/patch-heat.ts";
import { problemOf } from "../lib/problem.ts";
import type { Core } from "./core.svelte.ts";
import type { History } from "./history.svelte.ts";
import type { Library } from "./library.svelte.ts";
import { MaskEdit, strokedMask, type Tool } from "./mask-edit.svelte.ts";
import { Spots } from "./spots.svelte.ts";

/** What lies over the picture. */
export type Overlay = "none" | "mask" | "attention" | "alike";

interface Recipe {
  readonly method: MaskMethod;
  readonly mass: number;
  readonly refined: boolean;
  readonly components: "largest" | "all";
}

const usual: Recipe = { method: "attention", mass: 0.6, refined: true, components: "largest" };

/** The picture that is open: what the model sees in it, its mask, and the tools to correct that. */
export class Picture {
  detail = $state.raw<ImageDetail | null>(null);
  /** Whether the library has no image of this number: a link from elsewhere, or an old one. */
  unknown = $state(false);
  overlay = $state<Overlay>("none");
  opacity = $state(0.6);
  /** While V is held. */
  hidden = $state(false);
  /** Heads whose mean is shown and masked by; null for all. */
  heads = $state.raw<readonly number[] | null>(null);
  attention = $state.raw<PatchGrid | null>(null);
  recipe = $state.raw<Recipe>(usual);
  /** The mask that is stored, and the one that the recipe makes. */
  kept = $state.raw<ShownMask | null>(null);
  live = $state.raw<MaskPreview | null>(null);
  /** Whether the recipe's mask is shown although one is stored. */
  trying = $state(false);
  problem = $state.raw<Problem | null>(null);
  #waits = $state(0);
  /** Something is awaited from the model. */
  readonly busy = $derived(this.#waits > 0);
  readonly edit = new MaskEdit();
  readonly spots: Spots;
  readonly shownMask: ShownMask | MaskPreview | null = $derived(
    this.kept !== null && !this.trying ? this.kept : this.live,
  );
  readonly heat = $derived(this.attention === null ? null : attentionHeat(this.attention, this.heads));
  readonly #parts: { readonly core: Core; readonly history: History; readonly library: Library };
  readonly #previews;
  #imageId = $state<number | null>(null);
  #modelId: number | null = null;

  constructor(parts: { readonly core: Core; readonly history: History; readonly library: Library }) {
    this.#parts = parts;
    this.spots = new Spots(parts.core);
    this.#previews = calmly(() => this.#preview(), 0);
    // What was asked for while the core was gone did not come.
    parts.core.on("hello", () => void this.#load());
    parts.core.on("changed", ({ kinds }) => {
      if (kinds.some((kind) => kind === "masks" || kind === "images")) void this.#loadKept();
      if (kinds.some((kind) => kind === "annotations" || kind === "images")) void this.#loadDetail();
    });
  }

  get imageId(): number | null {
    return this.#imageId;
  }

  /** Whether the current model can say what it sees of patches. */
  get sees(): boolean {
    return this.#parts.library.model?.seesPatches ?? false;
  }

  /** What the overlay waits for, in words; empty where it is there. */
  get awaited(): string {
    if (this.overlay === "mask") return this.busy ? "Making the mask" : "";
    const looks = (this.overlay === "attention" && this.attention === null && this.busy) || this.spots.looking;
    return looks ? "The model is looking" : "";
  }

  /** Opens a picture; strokes on the one before are saved. */
  async open(imageId: number, modelId: number | null): Promise<void> {
    if (this.#imageId === imageId && this.#modelId === modelId) return;
    void this.save();
    // What could not be saved belongs to no other picture.
    this.edit.clear();
    [this.#imageId, this.#modelId] = [imageId, modelId];
    [this.detail, this.attention, this.kept, this.live, this.problem] = [null, null, null, null, null];
    [this.trying, this.unknown] = [false, false];
    await this.#load();
  }

  close(): void {
    void this.save();
    this.#imageId = null;
    this.edit.tool = null;
    this.spots.close();
  }

  show(overlay: Overlay): void {
    if (overlay !== "mask") {
      void this.save();
      this.edit.tool = null;
    }
    this.overlay = this.overlay === overlay ? "none" : overlay;
    void this.look();
  }

  /** Asks for what the overlay needs and is not there. */
  async look(): Promise<void> {
    const imageId = this.#imageId;
    const modelId = this.#parts.library.modelId ?? null;
    if (imageId === null || modelId === null || !this.sees) return;
    void this.spots.open(imageId, modelId, this.#lookSize(), this.overlay === "alike");
    const wantsHeads = this.overlay === "attention" || (this.overlay === "mask" && this.recipe.method === "attention");
    if (wantsHeads && this.attention === null) await this.#loadAttention(imageId, modelId);
    if (this.overlay === "mask" && this.live === null && (this.kept === null || this.trying)) this.#previews.ask();
  }

  /** Tries the mask another way. */
  tune(change: Partial<Recipe>): void {
    this.recipe = { ...this.recipe, ...change };
    this.trying = true;
    this.#previews.ask();
    void this.look();
  }

  /** Takes a head in or out; the last one out means all. */
  toggleHead(head: number): void {
    const chosen = this.heads ?? [];
    const next = chosen.includes(head) ? chosen.filter((one) => one !== head) : [...chosen, head].sort((a, b) => a - b);
    this.useHeads(next.length === 0 ? null : next);
  }

  useHeads(heads: readonly number[] | null): void {
    this.heads = heads;
    if (this.overlay === "mask") this.tune({});
  }

  useTool(tool: Tool): void {
    if (this.overlay !== "mask") {
      this.overlay = "mask";
      void this.look();
    }
    this.edit.use(tool);
    if (this.edit.tool === null) void this.save();
  }

  /** Back to the mask that is stored. */
  stopTrying(): void {
    this.trying = false;
    this.problem = null;
  }

  /** Keeps the mask of the recipe as it is. */
  async keep(): Promise<void> {
    await this.#keep(this.#choice());
  }

  /** Makes anew the mask that was there before it was corrected. */
  async restore(): Promise<void> {
    const { kept } = this;
    if (kept?.recipe == null) return;
    const { method, heads, mass, refined, components, size } = kept.recipe;
    const row = this.#parts.library.models.find(({ model }) => model.hash === kept.modelHash);
    await this.#keep(
      { method, refined, components, size, heads: heads === null ? "mean" : [...heads], mass: mass ?? usual.mass },
      row?.model.id,
    );
  }

  async remove(): Promise<void> {
    const imageId = this.#imageId;
    if (imageId === null) return;
    this.edit.clear();
    const done = await this.#parts.core.change("masks.remove", { target: { ids: [imageId] } });
    if (done !== undefined) this.#parts.history.told(done);
  }

  /** Saves the strokes at the full size of the picture, as one step that can be undone. */
  async save(): Promise<void> {
    const { core, history, library } = this.#parts;
    const [imageId, { image } = { image: null }, strokes] = [
      this.#imageId,
      this.detail ?? undefined,
      this.edit.strokes,
    ];
    if (imageId === null || image?.width == null || image.height === null || strokes.length === 0) return;
    const size = { width: image.width, height: image.height };
    const [base, recipe] = [this.shownMask, this.#choice()];
    this.edit.clear();
    const modelId = library.modelId ?? undefined;
    try {
      const whole =
        base === null || base === this.kept
          ? base
          : await core.call("masks.preview", { imageId, recipe, ...(modelId === undefined ? {} : { modelId }) });
      const { width, height, counts } = strokedMask(whole, size, strokes);
      const done = await core.change("masks.save", { imageId, width, height, runs: [...counts] });
      if (done === undefined) throw new Error("refused");
      history.told(done);
      if (this.#imageId === imageId) {
        this.trying = false;
        await this.#loadKept();
      }
    } catch (error) {
      if (this.#imageId === imageId) this.edit.strokes = [...strokes, ...this.edit.strokes];
      if (!(error instanceof Error && error.message === "refused")) core.refused(error);
    }
  }

  async #keep(recipe: MaskChoice, modelId = this.#parts.library.modelId ?? undefined): Promise<void> {
    const imageId = this.#imageId;
    if (imageId === null) return;
    this.edit.clear();
    this.#waits += 1;
    const chosen = modelId === undefined ? {} : { modelId };
    const done = await this.#parts.core.change("masks.keep", { imageId, recipe, ...chosen });
    this.#waits -= 1;
    if (done === undefined) return;
    this.#parts.history.told(done);
    await this.#loadKept();
    this.trying = false;
  }

  /** What the model looks at for masks of the whole library too. */
  #lookSize(): number {
    return lookSize(this.#parts.library.model?.model ?? { architecture: null });
  }

  #choice(): MaskChoice {
    return { ...this.recipe, heads: this.heads === null ? "mean" : [...this.heads] };
  }

  async #preview(): Promise<void> {
    const imageId = this.#imageId;
    const modelId = this.#parts.library.modelId ?? null;
    if (imageId === null || modelId === null || this.overlay !== "mask") return;
    this.#waits += 1;
    try {
      const made = await this.#parts.core.call("masks.preview", {
        imageId,
        modelId,
        recipe: this.#choice(),
        detail: "live",
      });
      if (this.#imageId === imageId) [this.live, this.problem] = [made, null];
    } catch (error) {
      if (this.#imageId === imageId) [this.live, this.problem] = [null, problemOf(error)];
    } finally {
      this.#waits -= 1;
    }
  }

  async #loadAttention(imageId: number, modelId: number): Promise<void> {
    this.#waits += 1;
    try {
      const look = { modelId, size: this.#lookSize() };
      const grid = decodeGrid(await this.#parts.core.client.bytes(attentionPath(imageId, look)));
      if (this.#imageId === imageId) [this.attention, this.problem] = [grid, null];
    } catch (error) {
      if (this.#imageId === imageId) this.problem = problemOf(error);
    } finally {
      this.#waits -= 1;
    }
  }

  async #load(): Promise<void> {
    await Promise.all([this.#loadDetail(), this.#loadKept()]);
    if (!this.unknown) await this.look();
  }

  async #loadDetail(): Promise<void> {
    const imageId = this.#imageId;
    if (imageId === null) return;
    let unknown = false;
    const detail = await this.#parts.core.call("images.detail", { imageId }).catch((error: unknown) => {
      unknown = problemOf(error).code === "image-unknown";
      return null;
    });
    if (this.#imageId === imageId) [this.detail, this.unknown] = [detail, unknown];
  }

  async #loadKept(): Promise<void> {
    const imageId = this.#imageId;
    if (imageId === null) return;
    const kept = await this.#parts.core.call("masks.get", { imageId }).catch(() => null);
    if (this.#imageId !== imageId) return;
    this.kept = kept;
    // The controls say how the mask that is shown was made.
    if (kept?.recipe != null && !this.trying) {
      const { method, mass, refined, components, heads } = kept.recipe;
      this.recipe = { method, mass: mass ?? this.recipe.mass, refined, components };
      if (method === "attention") this.heads = heads === null ? null : [...heads];
    }
    if (kept === null && this.detail !== null) void this.look();
  }
}
